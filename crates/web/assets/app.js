// Everything works without this file, except what WeChat itself demands of a script: opening its payment.
(function () {
  'use strict';
  var one = function (selector) { return document.querySelector(selector); };

  // The error summary is where a reader should begin.
  var summary = one('[data-focus]');
  if (summary) summary.focus();

  // An amount is either chosen or typed.
  var form = one('[data-amounts]');
  if (form) {
    var own = one('#amount');
    form.addEventListener('change', function (event) {
      if (event.target.name === 'preset') own.value = '';
    });
    own.addEventListener('input', function () {
      var chosen = form.querySelector('input[name="preset"]:checked');
      if (own.value && chosen) chosen.checked = false;
    });
  }

  // While nothing comes from the server, the page says that it shows what was last known.
  var offline = one('#offline');
  var failures = 0;
  var reached = function (now) {
    // One failure alone may be that of a page being left.
    failures = now ? 0 : failures + 1;
    var silent = failures > 1 || navigator.onLine === false;
    if (silent === !!offline.textContent) return;
    offline.className = silent ? 'note warn' : '';
    offline.textContent = silent ? offline.getAttribute('data-says') : '';
  };
  window.addEventListener('offline', function () { reached(false); });
  window.addEventListener('online', function () { reached(true); });
  // A form that cannot be sent stays as it is, with what was typed.
  document.addEventListener('submit', function (event) {
    if (navigator.onLine === false) { event.preventDefault(); reached(false); }
  });
  var ask = function (address, take, after) {
    fetch(address, { credentials: 'same-origin', cache: 'no-store' })
      .then(function (answer) {
        if (answer.status >= 500) throw answer;
        // Signed out meanwhile: the page itself leads to the door.
        if (answer.redirected) location.reload();
        return answer.ok && !answer.redirected ? answer.text() : null;
      })
      .then(function (html) { reached(true); if (html) take(html); }, function () { reached(false); })
      .then(after);
  };

  // The tracker refreshes itself: quickly at first, slowly later, not at all in the background.
  var tracker = one('#tracker[data-poll]');
  if (tracker) {
    var began = Date.now();
    var timer = 0;
    var said = function (box) {
      return [].map.call(box.querySelectorAll('[data-says]'), function (part) { return part.textContent; }).join(' ');
    };
    var show = function (html) {
      var fresh = document.createElement('div');
      fresh.innerHTML = html;
      var revision = function (box) { return box.querySelector('[data-revision]').getAttribute('data-revision'); };
      if (revision(fresh) === revision(tracker)) return;
      // What changed is read out; a button that asked for it and is gone leaves the focus here.
      var focused = tracker.contains(document.activeElement);
      if (said(fresh) !== said(tracker)) one('#tracker-says').textContent = said(fresh);
      tracker.innerHTML = html;
      if (focused) tracker.focus();
    };
    var look = function () { ask(tracker.getAttribute('data-poll'), show, plan); };
    var plan = function () {
      clearTimeout(timer);
      if (document.hidden || tracker.querySelector('[data-live="false"]')) return;
      timer = setTimeout(look, Date.now() - began < 120000 ? 1000 : 5000);
    };
    document.addEventListener('visibilitychange', plan);
    window.addEventListener('online', look);
    plan();
  }

  // A payment made elsewhere: once the order has moved, its tracker comes next.
  var away = one('[data-goes-on]');
  if (away) {
    var next = away.getAttribute('data-goes-on');
    var moved = function (html) {
      var box = document.createElement('div');
      box.innerHTML = html;
      return !!box.querySelector('[data-payable="false"]');
    };
    var follow = function () {
      if (document.hidden) return;
      ask(next + '/status', function (html) { if (moved(html)) location.replace(next); });
    };
    follow();
    setInterval(follow, 2000);
    document.addEventListener('visibilitychange', follow);
  }

  // Inside WeChat: its bridge asks the payer. Whatever it says proves nothing, so the tracker comes next.
  var bridge = one('#bridge');
  if (bridge) {
    var says = one('#bridge-says');
    var value = function (name) { return bridge.getAttribute('data-' + name); };
    var waiting = 0;
    var invoke = function () {
      clearTimeout(waiting);
      window.WeixinJSBridge.invoke('getBrandWCPayRequest', {
        appId: value('app-id'),
        timeStamp: value('time-stamp'),
        nonceStr: value('nonce-str'),
        package: value('package'),
        signType: 'RSA',
        paySign: value('pay-sign')
      }, function () { location.href = value('done'); });
    };
    var say = function (word, look) {
      says.textContent = says.getAttribute('data-' + word);
      says.parentNode.className = 'note ' + look;
    };
    var pay = function () {
      say('waiting', 'info');
      if (window.WeixinJSBridge) { invoke(); return; }
      document.addEventListener('WeixinJSBridgeReady', invoke, { once: true });
      clearTimeout(waiting);
      waiting = setTimeout(function () { say('silent', 'warn'); }, 5000);
    };
    bridge.addEventListener('click', pay);
    pay();
  }
})();

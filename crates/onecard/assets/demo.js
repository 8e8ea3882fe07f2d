"use strict";
// Copies what a button names to the clipboard. Without it people type.
(function () {
  if (!navigator.clipboard) { return; }
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    var words = button.textContent;
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(button.getAttribute("data-copy")).then(function () {
        button.textContent = button.getAttribute("data-copied");
        setTimeout(function () { button.textContent = words; }, 1500);
      });
    });
  });
})();
// Keeps the terminal's face current and plays its sounds. Everything but the sounds works without it: the page then shows the
// face as it was when it loaded.
(function () {
  var face = document.getElementById("face");
  if (!face || !window.fetch) { return; }
  var shown = face.innerHTML;
  var audio = null;
  var heard = newest().number;
  var button = document.getElementById("sound");

  function newest() {
    var lamp = face.querySelector("[data-sound-number]");
    return { number: lamp.getAttribute("data-sound-number"), tones: lamp.getAttribute("data-tones") };
  }
  function play(tones) {
    var at = audio.currentTime + 0.02;
    tones.split(";").forEach(function (tone) {
      var hertz = Number(tone.split(",")[0]), seconds = Number(tone.split(",")[1]) / 1000;
      if (hertz > 0) {
        var voice = audio.createOscillator(), volume = audio.createGain();
        voice.frequency.value = hertz;
        volume.gain.value = 0.2;
        voice.connect(volume);
        volume.connect(audio.destination);
        voice.start(at);
        voice.stop(at + seconds);
      }
      at += seconds;
    });
    button.setAttribute("data-played", String(Number(button.getAttribute("data-played")) + 1));
  }
  function listen() {
    var now = newest();
    if (now.number === heard) { return; }
    heard = now.number;
    if (audio && now.tones) { play(now.tones); }
  }
  if (window.AudioContext) {
    button.hidden = false;
    button.addEventListener("click", function () {
      if (audio) { audio.close(); audio = null; } else { audio = new AudioContext(); }
      button.setAttribute("aria-pressed", String(audio !== null));
    });
  }
  function look() {
    fetch(face.getAttribute("data-source"), { headers: { "X-Fragment": "1" } })
      .then(function (answer) { return answer.ok ? answer.text() : null; })
      .then(function (html) {
        if (html !== null && html !== shown) { face.innerHTML = html; shown = html; listen(); }
      })
      .catch(function () {})
      .then(function () { setTimeout(look, document.hidden ? 2000 : 250); });
  }
  look();
  function say(words, kind) {
    var said = document.getElementById("said");
    said.textContent = words;
    said.className = kind;
  }
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.hasAttribute("data-quiet")) { return; }
    event.preventDefault();
    // A hand that is under way does not begin again.
    if (form.getAttribute("aria-busy") === "true") { return; }
    var body = new URLSearchParams(new FormData(form));
    // The key that was pressed is the button that sent the form.
    if (event.submitter && event.submitter.name) { body.set(event.submitter.name, event.submitter.value); }
    var waits = form.getAttribute("data-waits"), slow = null;
    if (waits) {
      form.setAttribute("aria-busy", "true");
      slow = setTimeout(function () { say(waits, "waits"); }, 300);
      document.getElementById("glass").scrollIntoView({ block: "nearest" });
    }
    fetch(form.action, { method: "POST", body: body, headers: { "X-Fragment": "1" } })
      .then(function (answer) { return answer.text(); })
      .catch(function () { return ""; })
      .then(function (said) {
        clearTimeout(slow);
        form.removeAttribute("aria-busy");
        say(said, "error");
      });
  });
})();

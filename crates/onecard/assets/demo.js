"use strict";
// Keeps the terminal's face current. Everything works without it: the page then shows the face as it was when it loaded.
(function () {
  var face = document.getElementById("face");
  if (!face || !window.fetch) { return; }
  var shown = face.innerHTML;
  function look() {
    fetch(face.getAttribute("data-source"), { headers: { "X-Fragment": "1" } })
      .then(function (answer) { return answer.ok ? answer.text() : null; })
      .then(function (html) {
        if (html !== null && html !== shown) { face.innerHTML = html; shown = html; }
      })
      .catch(function () {})
      .then(function () { setTimeout(look, document.hidden ? 2000 : 250); });
  }
  look();
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.hasAttribute("data-quiet")) { return; }
    event.preventDefault();
    var body = new URLSearchParams(new FormData(form));
    fetch(form.action, { method: "POST", body: body, headers: { "X-Fragment": "1" } })
      .then(function (answer) { return answer.text(); })
      .then(function (said) { document.getElementById("said").textContent = said; });
  });
})();

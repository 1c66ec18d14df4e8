// Asks how far a video is, and shows the page anew when that has changed.
"use strict";
(() => {
  const stage = document.querySelector("[data-watch]");
  let pause = 1000;
  async function look() {
    try {
      const answer = await fetch(stage.dataset.watch, { cache: "no-store" });
      if (answer.ok) {
        const video = await answer.json();
        if (video.state !== stage.dataset.state || video.may_ask_again) {
          location.reload();
          return;
        }
      }
    } catch {
      // A node that is being reloaded; the next look tells.
    }
    pause = Math.min(pause * 1.2, 5000);
    setTimeout(look, pause);
  }
  setTimeout(look, pause);
})();

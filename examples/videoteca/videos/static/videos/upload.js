// Shows how far an upload is. Without this script the form works as well, only in silence.
"use strict";
(() => {
  const form = document.getElementById("upload");
  const bar = form.querySelector("progress");
  const words = form.querySelector("output");
  const button = form.querySelector("button");

  function stop(text) {
    words.textContent = text;
    bar.hidden = true;
    button.disabled = false;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (now) => {
      bar.value = now.loaded / now.total;
      words.textContent = now.loaded < now.total ? `${Math.round(100 * bar.value)} %` : "Storing …";
    });
    request.addEventListener("load", () => {
      if (request.status === 413) {
        stop("This file is too large.");
      } else if (request.status === 422) {
        // The same form, with what is wrong written to its fields.
        const page = new DOMParser().parseFromString(request.responseText, "text/html");
        form.querySelectorAll(".error").forEach((old) => old.remove());
        page.querySelectorAll(".error").forEach((error) => {
          const name = error.parentElement.querySelector("input").name;
          form.elements[name].after(error);
        });
        stop("");
      } else if (request.status < 400) {
        location.assign(request.responseURL);
      } else {
        stop("That did not work. Please try again.");
      }
    });
    request.addEventListener("error", () => stop("The connection was lost. Please try again."));
    button.disabled = true;
    bar.hidden = false;
    request.send(new FormData(form));
  });
})();

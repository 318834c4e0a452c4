// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// The search runs in a worker, and a page that was opened from a disk may start none. There the
// worker's script runs in a hidden frame instead: it uses onmessage and postMessage of `self` alone.
"use strict";
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.onmessage = this.onerror = this.onmessageerror = null;
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.documentElement.append(this.frame);
      this.inner = this.frame.contentWindow;
      // Its own words to us, in place of those to a parent window.
      this.inner.postMessage = (data) => setTimeout(() => this.onmessage?.({data}));
      const script = this.inner.document.createElement("script");
      script.src = url;
      script.onload = () => {
        for (const data of this.waiting.splice(0)) this.give(data);
        this.ready = true;
      };
      script.onerror = (event) => this.onerror?.(event);
      this.inner.document.documentElement.append(script);
    }
    give(data) {
      setTimeout(() => this.inner.onmessage?.({data}));
    }
    postMessage(data) {
      if (this.ready) this.give(data);
      else this.waiting.push(data);
    }
    terminate() {
      this.onmessage = null;
      this.frame.remove();
    }
  };
}

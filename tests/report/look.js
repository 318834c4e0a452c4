// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
// Opens pages in Chromium at several widths, light and dark, and prints as JSON what is wrong with them:
//   node look.js MODULES WIDTH,WIDTH... PAGE... > found.json     (SHOTS=DIR writes a picture of each)
"use strict";
const fs = require("fs");
const path = require("path");
const [given, widths, ...pages] = process.argv.slice(2);
const modules = path.resolve(given);
const { chromium } = require(path.join(modules, "playwright-core"));
const axe = fs.readFileSync(path.join(modules, "axe-core", "axe.min.js"), "utf8");

async function look(browser, file, width, colorScheme) {
  const view = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const found = { page: path.basename(file), width, colorScheme, requests: [], said: [] };
  view.on("request", (r) => found.requests.push(r.url()));
  view.on("console", (m) => found.said.push(m.text()));
  view.on("pageerror", (e) => found.said.push(String(e)));
  await view.goto(`file://${file}`);
  found.wider = await view.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  found.background = await view.evaluate(() => getComputedStyle(document.body).backgroundColor);
  // A caption that goes on where nobody sees it.
  found.cut = await view.evaluate(() => [...document.querySelectorAll("caption")].filter((one) =>
    one.getBoundingClientRect().width > one.closest(".wide").clientWidth + 1).map((one) => one.textContent));
  await view.emulateMedia({ media: "print" });
  found.printed = await view.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await view.emulateMedia({ media: "screen" });
  // By keyboard: the first link and its target, both inside what may be folded.
  found.reached = await view.evaluate(() => {
    const link = document.querySelector(".hex a");
    if (!link) return null;
    for (const one of document.querySelectorAll("details")) one.open = false;
    link.focus();
    const focused = document.activeElement === link;
    link.click();
    const row = document.querySelector(":target");
    return { focused, target: row.tagName, shown: row.getClientRects().length > 0 };
  });
  if (process.env.SHOTS) {
    await view.goto(`file://${file}`);
    const name = `${path.parse(file).name}-${width}-${colorScheme}.png`;
    await view.screenshot({ path: path.join(process.env.SHOTS, name), fullPage: true });
  }
  await view.evaluate(axe);
  const { violations } = await view.evaluate(() => axe.run());
  found.axe = violations.map((v) => ({ id: v.id, impact: v.impact, html: v.nodes[0].html.slice(0, 200) }));
  await view.close();
  return found;
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  const all = [];
  for (const file of pages)
    for (const width of widths.split(",").map(Number))
      for (const scheme of ["light", "dark"]) all.push(await look(browser, file, width, scheme));
  await browser.close();
  process.stdout.write(JSON.stringify(all));
})();

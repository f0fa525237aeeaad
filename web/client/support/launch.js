/** The browser of the tests. */

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** @param {import('playwright-core').LaunchOptions} [options] */
export function launch(options = {}) {
  if (!existsSync(PROGRAM)) {
    throw new Error(`no Chromium at ${PROGRAM}: install it (apt-get install chromium), or set CHROMIUM`);
  }
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  return chromium.launch({ executablePath: PROGRAM, args, ...options });
}

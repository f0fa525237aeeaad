/**
 * Programs of `clients/`: the SDKs as their users have them, in processes of their own.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MAX_OUTPUT = 64 << 20;
const PATIENCE_MS = 90_000;

const pathOf = (place) => fileURLToPath(new URL(place, import.meta.url));
export const PYTHON = process.env.SDK_PYTHON ?? pathOf('../../../target/sdk/venv/bin/python');

/** By their languages. `missing` says why one cannot run here. */
export const CLIENTS = {
  python: {
    command: [PYTHON, pathOf('../clients/openai_sdk.py')],
    missing: existsSync(PYTHON) ? false : `no Python with clients/requirements.txt at ${PYTHON}`,
  },
  javascript: { command: [process.execPath, pathOf('../clients/openai-sdk.mjs')], missing: false },
};

/**
 * Runs cases against a provider.
 * @param {keyof typeof CLIENTS} language
 * @param {string} base the one thing that differs between a run with a relay and one without
 * @param {string} key
 * @param {string[]} cases
 * @returns {Promise<Map<string, any>>} what was seen, by case
 */
export async function runCases(language, base, key, cases) {
  const [program, script] = CLIENTS[language].command;
  const options = { env: withoutProxies(process.env), maxBuffer: MAX_OUTPUT, timeout: PATIENCE_MS };
  const { stdout } = await run(program, [script, base, key, ...cases], options);
  const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  return new Map(lines.map((line) => [line.case, line.seen]));
}

/** The servers are on this machine. */
function withoutProxies(environment) {
  const kept = Object.entries(environment).filter(([name]) => !name.toLowerCase().endsWith('_proxy'));
  return Object.fromEntries(kept);
}

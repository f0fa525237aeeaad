/** As a program: the address of the site is its argument, and it prints what it saw. */

import { everywhere } from './everywhere.mjs';

console.log(JSON.stringify(await everywhere((globalThis.Deno?.args ?? globalThis.process.argv.slice(2))[0])));
(globalThis.Deno ?? globalThis.process).exit(0);

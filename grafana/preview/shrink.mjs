// Rewrites a PNG with a palette of 256 colours.
import { readFileSync, writeFileSync } from 'node:fs';
import UPNG from 'upng-js';

const [path] = process.argv.slice(2);
const read = UPNG.decode(readFileSync(path));
writeFileSync(path, Buffer.from(UPNG.encode(UPNG.toRGBA8(read), read.width, read.height, 256)));

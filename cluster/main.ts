import { embedded } from "./embedded.ts";
const command = process.argv[2];
if (command === "up") await embedded.up();
else if (command === "down") await embedded.down();
else if (command === "status") { const s = await embedded.status(); process.stdout.write(s.text); process.exit(s.running ? 0 : 1); }

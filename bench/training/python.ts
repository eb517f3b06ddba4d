import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "@rune/cluster/cache";
import { keyOf } from "@rune/cluster/content-key";
import { progress } from "@rune/cluster/progress";
import { run } from "@rune/cluster/shell";

const images = join(import.meta.dirname, "../../gpu-images");
const trl = "trl==1.16.0";

/** An interpreter with the trainer's packages and TRL: as in the image, torch without its CUDA libraries where there is no GPU. */
export async function pythonWithPeers(): Promise<string> {
  const gpu = existsSync("/dev/nvidiactl");
  const requirements = join(images, "trainer/requirements.txt");
  const overrides = join(images, "torch-cpu/overrides.txt");
  const key = keyOf({
    trl,
    gpu: String(gpu),
    requirements: await readFile(requirements, "utf8"),
    overrides: await readFile(overrides, "utf8"),
  });
  const folder = await cached("bench", `training-${key.slice(0, 16)}`, (out) =>
    progress.step("installing the trainer's packages and TRL (minutes the first time)", async () => {
      const python = join(out, "bin", "python");
      await run("python3", ["-m", "venv", out]);
      await run(python, ["-m", "pip", "install", "--quiet", "uv"]);
      const install = ["-m", "uv", "pip", "install", "--quiet", "--python", python];
      const slim = gpu ? [] : ["--overrides", overrides];
      const more = gpu ? [] : ["nvidia-cuda-runtime", "pyelftools"];
      await run(python, [...install, ...slim, "-r", requirements, trl, ...more]);
      if (gpu) return;
      const location = await run(python, ["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]);
      await run(python, [join(images, "torch-cpu/slim.py"), location.trim()]);
    }),
  );
  return join(folder, "bin", "python");
}

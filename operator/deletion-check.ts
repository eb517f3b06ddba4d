import type { Services } from "@rune/controllers/shared/services";
import type { Logger } from "kopf-ts";

/** Says in the log if the installation's login for a registry of one's own could delete what Rune relies on. Keeps nothing from starting. */
export async function checkDeletion(services: Pick<Services, "config" | "registry">, logger: Logger): Promise<void> {
  const { operatorNamespace: namespace, registry } = services.config;
  if (!registry.credentialsSecret) return;
  const repository = `rune/${namespace}/adapters`;
  try {
    const refuses = await services.registry(namespace, repository, ["pull"]).refusesDeletion(repository);
    if (refuses === false)
      logger.warn("the login for the registry may delete; take that right from it, since what is deleted can't be had again", {
        repository,
      });
    if (refuses === undefined)
      logger.info("the registry doesn't tell whether the login may delete, as the repository doesn't exist yet; take that right from it", {
        repository,
      });
  } catch (error) {
    logger.warn("whether the login for the registry may delete could not be asked", { error });
  }
}

export const group = "rune.dev";
export const version = "v1alpha1";
export const apiVersion = `${group}/${version}`;

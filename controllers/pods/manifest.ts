import type { KubeObject } from "kopf-ts";

/** The parts of Kubernetes' shapes that Rune writes. What Rune reads is parsed where it is read. */

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { fieldRef: { fieldPath: string } } | { secretKeyRef: { name: string; key: string } };
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  subPath?: string;
  readOnly?: boolean;
}

export interface Probe {
  httpGet?: { path: string; port: number | string };
  tcpSocket?: { port: number | string };
  exec?: { command: string[] };
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
  successThreshold?: number;
  terminationGracePeriodSeconds?: number;
}

export interface ResourceRequirements {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  ports?: { name: string; containerPort: number; protocol?: "TCP" | "UDP" }[];
  resources?: ResourceRequirements;
  volumeMounts?: VolumeMount[];
  securityContext?: object;
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: { preStop?: { exec?: { command: string[] }; httpGet?: { path: string; port: number } } };
  restartPolicy?: "Always";
  terminationMessagePolicy?: "File" | "FallbackToLogsOnError";
}

export interface Volume {
  name: string;
  emptyDir?: { medium?: "Memory"; sizeLimit?: string };
  configMap?: { name: string; defaultMode?: number; optional?: boolean };
  secret?: { secretName: string; defaultMode?: number };
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
}

export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  tolerationSeconds?: number;
}

export interface PodSpec {
  initContainers?: Container[];
  containers: Container[];
  volumes?: Volume[];
  securityContext?: object;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  restartPolicy?: "Never" | "OnFailure" | "Always";
  terminationGracePeriodSeconds?: number;
  imagePullSecrets?: { name: string }[];
  nodeSelector?: Record<string, string>;
  affinity?: object;
  tolerations?: Toleration[];
  priorityClassName?: string;
  runtimeClassName?: string;
  hostname?: string;
  subdomain?: string;
}

export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

export interface ConfigMap extends KubeObject {
  immutable?: boolean;
  data: Record<string, string>;
}

export interface Secret extends KubeObject {
  immutable?: boolean;
  stringData?: Record<string, string>;
  data?: Record<string, string>;
}

export interface Job extends KubeObject {
  spec: Record<string, unknown> & { template: PodTemplate };
}

export interface Pod extends KubeObject {
  spec: PodSpec;
}

export type { KubeObject };

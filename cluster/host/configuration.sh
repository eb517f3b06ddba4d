# Configuration files of the components.
# shellcheck shell=bash

# put FILE: writes stdin there, unless the content is the same (kube-proxy exits when its file is touched).
put() {
  local text
  text=$(cat)
  [ -e "$1" ] && [ "$(cat "$1")" = "$text" ] && return 0
  printf '%s\n' "$text" >"$1.new"
  mv "$1.new" "$1"
}
# The outgoing interface's MTU limits the pods' packets.
outer_mtu() {
  local dev
  dev=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -1)
  cat "/sys/class/net/${dev:-lo}/mtu" 2>/dev/null | awk '{print ($1 > 1500) ? 1500 : $1}'
}
# The machine's name servers, for names outside the cluster; those on its loopback don't exist inside a pod.
outer_resolvers() {
  local f=/etc/resolv.conf
  [ ! -e /run/systemd/resolve/resolv.conf ] || f=/run/systemd/resolve/resolv.conf
  grep -E '^nameserver ' "$f" 2>/dev/null | grep -vE ' (127\.|::1)' || true
}
# gVisor is there from `npm run cluster -- gvisor` to `destroy`.
has_gvisor() { [ -e "$BIN/gvisor.id" ]; }
# Its part of containerd's configuration.
gvisor_runtime() {
  has_gvisor || return 0
  cat <<Y
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc]
    runtime_type = "io.containerd.runsc.v1"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc.options]
      TypeUrl = "io.containerd.runsc.v1.options"
      ConfigPath = "$STATE/runsc.toml"
Y
}
write_configuration() {
  put "$STATE/containerd.toml" <<Y
version = 3
root = "$STATE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[ttrpc]
  address = "$RUN/containerd.sock.ttrpc"
# This runtime has no plugins; the socket would be outside our state.
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "rune.local/pause:$(cat "$BIN/kube.id")"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "$STATE/registries"
[plugins."io.containerd.cri.v1.runtime"]
  # For machines whose root lacks CAP_SYS_RESOURCE (such as the VMs of CI services): scores below the daemon's own are
  # not requested ("can't get final child's PID from pipe: EOF" otherwise).
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
    conf_dir = "$STATE/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "$BIN/runc"
      Root = "$RUN/runc"
      SystemdCgroup = false
$(gvisor_runtime)
Y
  # systrap: the platform that needs no KVM.
  ! has_gvisor || put "$STATE/runsc.toml" <<Y
binary_name = "$BIN/runsc"
root = "$RUN/runsc"
[runsc_config]
  platform = "systrap"
Y
  # ptp: each pod has a veth to the host and no shared layer 2, so all pod traffic is routed through the host's forward
  # hook (no br_netfilter needed), and a packet's veth identifies its pod (netpol drops packets with another's address).
  put "$STATE/cni/10-pods.conflist" <<Y
{"cniVersion": "1.0.0", "name": "rune", "plugins": [
  {"type": "ptp", "mtu": $(outer_mtu), "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$STATE/cni-ipam", "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
]}
Y
  put "$STATE/resolv.conf" <<<"$(outer_resolvers)"
  [ -n "$(cat "$STATE/resolv.conf")" ] || : >"$STATE/resolv.conf"
  put "$STATE/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$RUN/containerd.sock
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $STATE/resolv.conf
podLogsDir: $STATE/pod-logs
volumePluginDir: $STATE/volume-plugins
maxPods: 240
podPidsLimit: 1024
seccompDefault: true
serializeImagePulls: false
# What exits is restarted within seconds, however often: here things are killed on purpose.
featureGates: {KubeletCrashLoopBackOffMax: true}
crashLoopBackOff: {maxContainerRestartPeriod: 5s}
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
shutdownGracePeriod: 0s
healthzBindAddress: 127.0.0.1
nodeStatusUpdateFrequency: 10s
syncFrequency: 1m
makeIPTablesUtilChains: false
oomScoreAdj: 0
Y
  put "$STATE/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: $POD_CIDR
hostnameOverride: $NODE
bindAddress: $NODE_IP
nodePortAddresses: ["$NODE_IP/32"]
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: {kubeconfig: $PKI/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
oomScoreAdj: 0
Y
}

# The node's own address and outgoing traffic of pods. The address is on a separate bridge, so nothing listens on the
# machine's outer interfaces and the cluster does not depend on the machine's address.
# shellcheck shell=bash

network_up() {
  ip link show "$BRIDGE" >/dev/null 2>&1 || ip link add "$BRIDGE" type bridge
  ip addr replace "$NODE_IP"/32 dev "$BRIDGE"
  ip link set "$BRIDGE" up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # Outgoing packets of pods get the machine's address; pod -> pod and pod -> node keep their own.
  nft -f - <<Y
table ip rune_masq
delete table ip rune_masq
table ip rune_masq {
  chain postrouting { type nat hook postrouting priority srcnat;
    ip saddr $POD_CIDR ip daddr != { $POD_CIDR, $NODE_IP } masquerade
  }
}
Y
}
network_down() {
  local t
  # shellcheck disable=SC2086
  for t in "${TABLES[@]}"; do nft delete table $t 2>/dev/null; done
  ip link del "$BRIDGE" 2>/dev/null
  conntrack -D -s "$POD_CIDR" >/dev/null 2>&1
  return 0
}

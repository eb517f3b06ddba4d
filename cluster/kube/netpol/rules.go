package netpol

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const table = "rune_netpol"

// snapshot is all that the rules depend on.
type snapshot struct {
	podCIDR    netip.Prefix
	pods       []*corev1.Pod
	namespaces map[string]*corev1.Namespace
	policies   []*netv1.NetworkPolicy
}

// rules gives the whole table as an nft script that replaces the one in force:
//
//   - a pod selected by an Egress (Ingress) policy gets a chain that lets through what its policies allow and drops the
//     rest. Services are already translated to endpoints at this hook, so rules match pod addresses;
//   - only replies pass unseen: every packet in the direction in which a connection was opened is judged, so a new policy
//     also cuts the connections opened before it. (Replies of a peer that gets no acknowledgements any more may go on
//     until its TCP window is full, or its UDP flow has timed out.)
//   - node -> pod passes (kubelet probes), as Kubernetes requires;
//   - fail closed: packets from or to a pod address that is not yet known here are dropped, so a new pod has no
//     unpoliced first second;
//   - what comes from a pod must come from its own IPv4 address; IPv6 is dropped.
func (w snapshot) rules() string {
	pods := w.addressedPods()
	var known, ingress, egress []string
	var chains strings.Builder
	for _, p := range pods {
		ip := p.Status.PodIP
		if a, err := netip.ParseAddr(ip); err != nil || !w.podCIDR.Contains(a) {
			continue
		}
		known = append(known, ip)
		name := fmt.Sprintf("%s_%08x", strings.ReplaceAll(ip, ".", "_"), hash(key(p)))
		if policies := w.policiesFor(p, netv1.PolicyTypeIngress); len(policies) > 0 {
			var allowed []string
			for _, np := range policies {
				for _, r := range np.Spec.Ingress {
					allowed = append(allowed, allow("saddr", w.peers(np.Namespace, r.From, pods), r.Ports, p)...)
				}
			}
			ingress = append(ingress, ip+" : jump in_"+name)
			chains.WriteString(chain("in_"+name, key(p), allowed))
		}
		if policies := w.policiesFor(p, netv1.PolicyTypeEgress); len(policies) > 0 {
			var allowed []string
			for _, np := range policies {
				for _, r := range np.Spec.Egress {
					allowed = append(allowed, allow("daddr", w.peers(np.Namespace, r.To, pods), r.Ports, nil)...)
				}
			}
			egress = append(egress, ip+" : jump out_"+name)
			chains.WriteString(chain("out_"+name, key(p), allowed))
		}
	}
	return w.render(known, ingress, egress, chains.String())
}

func (w snapshot) render(known, ingress, egress []string, chains string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %[1]s\ndelete table inet %[1]s\ntable inet %[1]s {\n", table)
	fmt.Fprintf(&b, "\tset known { type ipv4_addr; %s}\n", elements(known))
	fmt.Fprintf(&b, "\tmap ingress { type ipv4_addr : verdict; %s}\n", elements(ingress))
	fmt.Fprintf(&b, "\tmap egress { type ipv4_addr : verdict; %s}\n", elements(egress))
	b.WriteString(chains)
	// Pods are told apart by address, so a packet must come by the way back to its source. The ptp plugin names a pod's
	// interface on this side veth…; IPv6 link-local would pass all rules below.
	b.WriteString("\tchain spoof {\n\t\ttype filter hook prerouting priority raw; policy accept;\n" +
		"\t\tiifname \"veth*\" meta nfproto ipv6 drop\n" +
		"\t\tiifname \"veth*\" fib saddr . iif oif missing drop\n\t}\n")
	// forward: pod <-> pod and pod <-> outside; input: pod -> this node (apiserver, kubelet, …).
	for _, hook := range []string{"forward", "input"} {
		fmt.Fprintf(&b, "\tchain %[1]s {\n\t\ttype filter hook %[1]s priority filter + 10; policy accept;\n", hook)
		b.WriteString("\t\tct state established ct direction reply accept\n\t\tct state related accept\n")
		fmt.Fprintf(&b, "\t\tip saddr %s ip saddr != @known drop\n", w.podCIDR.Masked())
		if hook == "forward" {
			fmt.Fprintf(&b, "\t\tip daddr %s ip daddr != @known drop\n", w.podCIDR.Masked())
		}
		b.WriteString("\t\tip saddr vmap @egress\n")
		if hook == "forward" {
			b.WriteString("\t\tip daddr vmap @ingress\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// addressedPods are the pods that hold an address of their own, one per address, in a fixed order. Where the address of
// a pod that is going away was already given to another, the other counts.
func (w snapshot) addressedPods() []*corev1.Pod {
	byIP := map[string]*corev1.Pod{}
	for _, p := range w.pods {
		if p.Status.PodIP == "" || p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		other := byIP[p.Status.PodIP]
		if other == nil || other.DeletionTimestamp != nil && (p.DeletionTimestamp == nil || key(p) < key(other)) {
			byIP[p.Status.PodIP] = p
		}
	}
	pods := make([]*corev1.Pod, 0, len(byIP))
	for _, p := range byIP {
		pods = append(pods, p)
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(key(a), key(b)) })
	return pods
}

// policiesFor are the policies that select the pod in that direction. A selector that can't be understood selects: what
// it meant to isolate must not stay open.
func (w snapshot) policiesFor(p *corev1.Pod, direction netv1.PolicyType) []*netv1.NetworkPolicy {
	var out []*netv1.NetworkPolicy
	for _, np := range w.policies {
		if np.Namespace != p.Namespace || !slices.Contains(np.Spec.PolicyTypes, direction) {
			continue
		}
		if selector, err := metav1.LabelSelectorAsSelector(&np.Spec.PodSelector); err != nil || selector.Matches(labels.Set(p.Labels)) {
			out = append(out, np)
		}
	}
	return out
}

// peer is one side that a policy allows: an nft match without its direction ("{ 10.244.0.7 }"; "" is everyone), the
// addresses excepted from it, and the pods it stands for, whose named ports may be meant.
type peer struct {
	addresses string
	except    []string
	pods      []*corev1.Pod
}

func (w snapshot) peers(namespace string, from []netv1.NetworkPolicyPeer, pods []*corev1.Pod) []peer {
	if len(from) == 0 {
		return []peer{{pods: pods}}
	}
	var out []peer
	for _, f := range from {
		if f.IPBlock != nil {
			if p, ok := blockPeer(f.IPBlock); ok {
				out = append(out, p)
			}
			continue
		}
		var selected []*corev1.Pod
		var addresses []string
		for _, q := range pods {
			if w.selects(namespace, f, q) {
				selected, addresses = append(selected, q), append(addresses, q.Status.PodIP)
			}
		}
		if len(selected) > 0 {
			out = append(out, peer{addresses: "{ " + strings.Join(sorted(addresses), ", ") + " }", pods: selected})
		}
	}
	return out
}

// blockPeer allows nothing when any part of the block isn't a readable IPv4 prefix.
func blockPeer(block *netv1.IPBlock) (peer, bool) {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !prefix.Addr().Is4() {
		return peer{}, false
	}
	var except []string
	for _, x := range block.Except {
		p, err := netip.ParsePrefix(x)
		if err != nil || !p.Addr().Is4() {
			return peer{}, false
		}
		except = append(except, p.Masked().String())
	}
	return peer{addresses: prefix.Masked().String(), except: sorted(except)}, true
}

func (w snapshot) selects(namespace string, f netv1.NetworkPolicyPeer, q *corev1.Pod) bool {
	if f.NamespaceSelector == nil {
		if q.Namespace != namespace {
			return false
		}
	} else if ns := w.namespaces[q.Namespace]; ns == nil || !matches(f.NamespaceSelector, ns.Labels) {
		return false
	}
	return f.PodSelector == nil || matches(f.PodSelector, q.Labels)
}

// allow gives the nft rules that return (let through) for peers x ports. A named port is one of the pod that receives:
// target for ingress, each peer for egress (target nil).
func allow(direction string, peers []peer, ports []netv1.NetworkPolicyPort, target *corev1.Pod) []string {
	var rules []string
	for _, p := range peers {
		from := p.match(direction)
		if len(ports) == 0 {
			rules = append(rules, from+"return")
		}
		for _, port := range ports {
			protocol := "tcp"
			if port.Protocol != nil {
				protocol = strings.ToLower(string(*port.Protocol))
			}
			switch {
			case port.Port == nil:
				rules = append(rules, from+"meta l4proto "+protocol+" return")
			case port.Port.StrVal == "" && port.EndPort != nil:
				rules = append(rules, fmt.Sprintf("%s%s dport %d-%d return", from, protocol, port.Port.IntVal, *port.EndPort))
			case port.Port.StrVal == "":
				rules = append(rules, fmt.Sprintf("%s%s dport %d return", from, protocol, port.Port.IntVal))
			case target != nil:
				for _, number := range namedPorts(target, port.Port.StrVal, protocol) {
					rules = append(rules, fmt.Sprintf("%s%s dport %d return", from, protocol, number))
				}
			default:
				for _, q := range p.pods {
					for _, number := range namedPorts(q, port.Port.StrVal, protocol) {
						rules = append(rules, fmt.Sprintf("ip daddr %s %s dport %d return", q.Status.PodIP, protocol, number))
					}
				}
			}
		}
	}
	return rules
}

func (p peer) match(direction string) string {
	s := ""
	if p.addresses != "" {
		s = fmt.Sprintf("ip %s %s ", direction, p.addresses)
	}
	if len(p.except) > 0 {
		s += fmt.Sprintf("ip %s != { %s } ", direction, strings.Join(p.except, ", "))
	}
	return s
}

// namedPorts are those of the containers that run beside each other: init containers only if they are sidecars.
func namedPorts(p *corev1.Pod, name, protocol string) (out []int32) {
	containers := slices.Clone(p.Spec.Containers)
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.Name == name && (strings.EqualFold(string(port.Protocol), protocol) || port.Protocol == "" && protocol == "tcp") {
				out = append(out, port.ContainerPort)
			}
		}
	}
	return out
}

func chain(name, comment string, allowed []string) string {
	s := fmt.Sprintf("\tchain %s { # %s\n", name, comment)
	for _, r := range sorted(allowed) {
		s += "\t\t" + r + "\n"
	}
	return s + "\t\tdrop\n\t}\n"
}

func elements(e []string) string {
	if len(e) == 0 {
		return ""
	}
	return "elements = { " + strings.Join(sorted(e), ", ") + " } "
}

// sorted gives each string once, in order: equal worlds give equal tables.
func sorted(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func matches(s *metav1.LabelSelector, set map[string]string) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}

func key(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

func hash(s string) uint32 { h := fnv.New32a(); _, _ = h.Write([]byte(s)); return h.Sum32() }

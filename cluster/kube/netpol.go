package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// netpol enforces NetworkPolicy (networking.k8s.io/v1, IPv4) for the pods of one
// node. On each change it writes one nftables table whole, in one transaction:
//
//   - replies (ct established,related) pass;
//   - node -> pod passes (kubelet probes), as Kubernetes requires;
//   - a pod selected by an Egress (Ingress) policy gets a chain that lets through
//     what its policies allow, and rejects the rest. Services are already
//     translated to endpoints at this hook, so rules match pod addresses;
//   - what comes from a pod must come from its own IPv4 address; IPv6 is dropped;
//   - fail closed: packets from a pod address that is not yet known here are
//     dropped, so a new pod has no unpoliced first second.
//
// The table stays when netpol stops: enforcement outlives the process.
type netpol struct {
	podCIDR  netip.Prefix
	pods     cache.Indexer
	nss      cache.Indexer
	policies cache.Indexer
}

const netpolTable = "rune_netpol"

func runNetpol(args []string) error {
	fs := flag.NewFlagSet("netpol", flag.ExitOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig to read pods, namespaces and policies with")
	podCIDR := fs.String("pod-cidr", "10.244.0.0/24", "addresses of this node's pods")
	klog.InitFlags(fs)
	_ = fs.Parse(args)

	cfg, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	prefix, err := netip.ParsePrefix(*podCIDR)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	f := informers.NewSharedInformerFactory(client, 0)
	pods, nss, pols := f.Core().V1().Pods().Informer(), f.Core().V1().Namespaces().Informer(), f.Networking().V1().NetworkPolicies().Informer()
	n := &netpol{podCIDR: prefix, pods: pods.GetIndexer(), nss: nss.GetIndexer(), policies: pols.GetIndexer()}
	dirty := make(chan struct{}, 1)
	kick := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	h := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { kick() }, UpdateFunc: func(any, any) { kick() }, DeleteFunc: func(any) { kick() },
	}
	for _, i := range []cache.SharedIndexInformer{pods, nss, pols} {
		if _, err := i.AddEventHandler(h); err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	last := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
		}
		if rules := n.render(); rules != last {
			cmd := exec.CommandContext(ctx, "nft", "-f", "-")
			cmd.Stdin = strings.NewReader(rules)
			if out, err := cmd.CombinedOutput(); err != nil {
				klog.ErrorS(err, "nft refused the rules; retrying", "output", string(out), "rules", rules)
				time.AfterFunc(time.Second, kick)
			} else {
				last = rules
				klog.V(2).InfoS("rules written", "bytes", len(rules))
			}
		}
		time.Sleep(50 * time.Millisecond) // let a burst of events share one write
	}
}

// render writes the whole table as an nft script.
func (n *netpol) render() string {
	var pods []*corev1.Pod
	for _, o := range n.pods.List() {
		p := o.(*corev1.Pod)
		if p.Status.PodIP != "" && !p.Spec.HostNetwork && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			pods = append(pods, p)
		}
	}
	sort.Slice(pods, func(i, j int) bool { return key(pods[i]) < key(pods[j]) })
	pods = onePerIP(pods)
	var known, in, out, chains []string
	for _, p := range pods {
		ip := p.Status.PodIP
		if a, err := netip.ParseAddr(ip); err != nil || !n.podCIDR.Contains(a) {
			continue
		}
		known = append(known, ip)
		var ing, egr []*netv1.NetworkPolicy
		for _, o := range n.policies.List() {
			np := o.(*netv1.NetworkPolicy)
			if np.Namespace != p.Namespace || !matches(&np.Spec.PodSelector, p.Labels) {
				continue
			}
			for _, t := range np.Spec.PolicyTypes {
				if t == netv1.PolicyTypeIngress {
					ing = append(ing, np)
				} else if t == netv1.PolicyTypeEgress {
					egr = append(egr, np)
				}
			}
		}
		id := fmt.Sprintf("%s_%08x", strings.ReplaceAll(ip, ".", "_"), hash(key(p)))
		if len(ing) > 0 {
			in = append(in, fmt.Sprintf("%s : jump in_%s", ip, id))
			var rules []string
			for _, np := range ing {
				for _, r := range np.Spec.Ingress {
					rules = append(rules, n.rule("saddr", np.Namespace, r.From, r.Ports, []*corev1.Pod{p}, pods)...)
				}
			}
			chains = append(chains, chain("in_"+id, key(p), rules))
		}
		if len(egr) > 0 {
			out = append(out, fmt.Sprintf("%s : jump out_%s", ip, id))
			var rules []string
			for _, np := range egr {
				for _, r := range np.Spec.Egress {
					rules = append(rules, n.rule("daddr", np.Namespace, r.To, r.Ports, nil, pods)...)
				}
			}
			chains = append(chains, chain("out_"+id, key(p), rules))
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "table inet %[1]s\ndelete table inet %[1]s\ntable inet %[1]s {\n", netpolTable)
	fmt.Fprintf(&b, "\tset known { type ipv4_addr; %s}\n", elements(known))
	fmt.Fprintf(&b, "\tmap ingress { type ipv4_addr : verdict; %s}\n", elements(in))
	fmt.Fprintf(&b, "\tmap egress { type ipv4_addr : verdict; %s}\n", elements(out))
	b.WriteString(strings.Join(chains, ""))
	// Pods are told apart by address: nothing but IPv4 from the pod's own address (its
	// veth is the way back to it) gets in. IPv6 link-local would pass all rules below.
	b.WriteString("\tchain spoof {\n\t\ttype filter hook prerouting priority raw; policy accept;\n" +
		"\t\tiifname \"veth*\" meta nfproto ipv6 drop\n" +
		"\t\tiifname \"veth*\" fib saddr . iif oif missing drop\n\t}\n")
	// forward: pod <-> pod and pod <-> outside; input: pod -> this node (apiserver, kubelet, ...).
	for _, hook := range []string{"forward", "input"} {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype filter hook %s priority filter + 10; policy accept;\n", hook, hook)
		b.WriteString("\t\tct state established,related accept\n")
		fmt.Fprintf(&b, "\t\tip saddr %s ip saddr != @known drop\n", n.podCIDR.Masked())
		b.WriteString("\t\tip saddr vmap @egress\n")
		if hook == "forward" {
			b.WriteString("\t\tip daddr vmap @ingress\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// rule turns one policy rule (peers x ports) into nft rules that return, i.e. allow.
// targets are the pods that hold a named port; nil means "the peers" (egress).
func (n *netpol) rule(dir, ns string, peers []netv1.NetworkPolicyPeer, ports []netv1.NetworkPolicyPort, targets, pods []*corev1.Pod) []string {
	type match struct {
		expr string
		pods []*corev1.Pod // what the expression stands for, for named ports
	}
	var ms []match
	if len(peers) == 0 { // no peers: everyone
		ms = append(ms, match{"", pods})
	}
	for _, peer := range peers {
		if peer.IPBlock != nil {
			p, err := netip.ParsePrefix(peer.IPBlock.CIDR)
			if err != nil || !p.Addr().Is4() {
				continue
			}
			e := fmt.Sprintf("ip %s %s", dir, p.Masked())
			var except []string
			for _, x := range peer.IPBlock.Except {
				except = append(except, x)
			}
			if len(except) > 0 {
				e += fmt.Sprintf(" ip %s != { %s }", dir, strings.Join(except, ", "))
			}
			ms = append(ms, match{e, nil})
			continue
		}
		var ips []string
		var sel []*corev1.Pod
		for _, q := range pods {
			if peer.NamespaceSelector == nil {
				if q.Namespace != ns {
					continue
				}
			} else if o, ok, _ := n.nss.GetByKey(q.Namespace); !ok || !matches(peer.NamespaceSelector, o.(*corev1.Namespace).Labels) {
				continue
			}
			if peer.PodSelector == nil || matches(peer.PodSelector, q.Labels) {
				ips, sel = append(ips, q.Status.PodIP), append(sel, q)
			}
		}
		if len(ips) > 0 {
			ms = append(ms, match{fmt.Sprintf("ip %s { %s }", dir, strings.Join(uniq(ips), ", ")), sel})
		}
	}
	var rules []string
	for _, m := range ms {
		if len(ports) == 0 {
			rules = append(rules, strings.TrimSpace(m.expr+" return"))
		}
		for _, pt := range ports {
			proto := "tcp"
			if pt.Protocol != nil {
				proto = strings.ToLower(string(*pt.Protocol))
			}
			switch {
			case pt.Port == nil:
				rules = append(rules, strings.TrimSpace(m.expr+" meta l4proto "+proto+" return"))
			case pt.Port.StrVal == "" && pt.EndPort != nil:
				rules = append(rules, strings.TrimSpace(fmt.Sprintf("%s %s dport %d-%d return", m.expr, proto, pt.Port.IntVal, *pt.EndPort)))
			case pt.Port.StrVal == "":
				rules = append(rules, strings.TrimSpace(fmt.Sprintf("%s %s dport %d return", m.expr, proto, pt.Port.IntVal)))
			case targets != nil: // named port of the receiving pod
				for _, port := range namedPorts(targets[0], pt.Port.StrVal, proto) {
					rules = append(rules, strings.TrimSpace(fmt.Sprintf("%s %s dport %d return", m.expr, proto, port)))
				}
			default: // named port of each peer
				for _, q := range m.pods {
					for _, port := range namedPorts(q, pt.Port.StrVal, proto) {
						rules = append(rules, fmt.Sprintf("ip daddr %s %s dport %d return", q.Status.PodIP, proto, port))
					}
				}
			}
		}
	}
	return rules
}

func namedPorts(p *corev1.Pod, name, proto string) (out []int32) {
	cs := append([]corev1.Container{}, p.Spec.Containers...)
	for _, c := range p.Spec.InitContainers { // sidecars
		if c.RestartPolicy != nil {
			cs = append(cs, c)
		}
	}
	for _, c := range cs {
		for _, cp := range c.Ports {
			if cp.Name == name && strings.EqualFold(string(cp.Protocol), proto) {
				out = append(out, cp.ContainerPort)
			}
		}
	}
	return out
}

func chain(name, comment string, rules []string) string {
	s := fmt.Sprintf("\tchain %s { # %s\n", name, comment)
	for _, r := range uniq(rules) {
		s += "\t\t" + r + "\n"
	}
	return s + "\t\tdrop\n\t}\n"
}

func elements(e []string) string {
	if len(e) == 0 {
		return ""
	}
	return "elements = { " + strings.Join(uniq(e), ", ") + " } "
}

func uniq(in []string) []string {
	out := append([]string{}, in...)
	sort.Strings(out)
	w := 0
	for i, s := range out {
		if i == 0 || s != out[w-1] {
			out[w] = s
			w++
		}
	}
	return out[:w]
}

func matches(s *metav1.LabelSelector, set map[string]string) bool {
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(labels.Set(set))
}

// onePerIP drops a pod that is going away where its address was already given to another.
func onePerIP(pods []*corev1.Pod) (out []*corev1.Pod) {
	at := map[string]int{}
	for _, p := range pods {
		i, dup := at[p.Status.PodIP]
		switch {
		case !dup:
			at[p.Status.PodIP] = len(out)
			out = append(out, p)
		case out[i].DeletionTimestamp != nil:
			out[i] = p
		}
	}
	return out
}

func key(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

func hash(s string) uint32 { h := fnv.New32a(); _, _ = h.Write([]byte(s)); return h.Sum32() }

func netpolMain(args []string) {
	if err := runNetpol(args); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

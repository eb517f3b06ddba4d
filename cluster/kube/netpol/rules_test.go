package netpol

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(namespace, name, ip string, labels map[string]string, ports ...corev1.ContainerPort) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Ports: ports}}},
		Status:     corev1.PodStatus{PodIP: ip, Phase: corev1.PodRunning},
	}
}

func policy(namespace string, selector map[string]string, spec netv1.NetworkPolicySpec) *netv1.NetworkPolicy {
	spec.PodSelector = metav1.LabelSelector{MatchLabels: selector}
	return &netv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p"}, Spec: spec}
}

func world(pods []*corev1.Pod, policies ...*netv1.NetworkPolicy) snapshot {
	w := snapshot{podCIDR: netip.MustParsePrefix("10.244.0.0/24"), pods: pods, policies: policies, namespaces: map[string]*corev1.Namespace{}}
	for _, p := range pods {
		labels := map[string]string{"kubernetes.io/metadata.name": p.Namespace}
		w.namespaces[p.Namespace] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Namespace, Labels: labels}}
	}
	return w
}

// body gives the rules of the one chain whose name begins so, without its last: the drop that every chain ends with.
func body(t *testing.T, rules, prefix string) []string {
	t.Helper()
	_, rest, found := strings.Cut(rules, "\tchain "+prefix)
	if !found {
		t.Fatalf("there is no chain %s… in\n%s", prefix, rules)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	inside, _, _ := strings.Cut(rest, "\t}\n")
	lines := strings.Split(strings.TrimSpace(inside), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if lines[len(lines)-1] != "drop" {
		t.Fatalf("chain %s doesn't end with drop: %q", prefix, lines)
	}
	return lines[:len(lines)-1]
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func ptr[T any](v T) *T { return &v }

var (
	egressOnly  = []netv1.PolicyType{netv1.PolicyTypeEgress}
	ingressOnly = []netv1.PolicyType{netv1.PolicyTypeIngress}
	client      = pod("team", "client", "10.244.0.2", map[string]string{"role": "client"})
	server      = pod("team", "server", "10.244.0.3", map[string]string{"role": "server"},
		corev1.ContainerPort{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP})
	stranger = pod("other", "server", "10.244.0.4", map[string]string{"role": "server"})
)

func TestAPolicyWithoutRulesDropsEverythingInItsDirectionAndNothingInTheOther(t *testing.T) {
	rules := world([]*corev1.Pod{client}, policy("team", nil, netv1.NetworkPolicySpec{PolicyTypes: egressOnly})).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"))
	if strings.Contains(rules, "jump in_") {
		t.Errorf("an egress policy must not touch ingress:\n%s", rules)
	}
}

func TestAPodThatNoPolicySelectsHasNoChain(t *testing.T) {
	rules := world([]*corev1.Pod{client, server}, policy("team", map[string]string{"role": "client"}, netv1.NetworkPolicySpec{PolicyTypes: egressOnly})).rules()
	if strings.Contains(rules, "10_244_0_3") {
		t.Errorf("the server is not selected:\n%s", rules)
	}
}

func TestAPolicyDoesNotReachIntoOtherNamespaces(t *testing.T) {
	rules := world([]*corev1.Pod{stranger}, policy("team", nil, netv1.NetworkPolicySpec{PolicyTypes: ingressOnly})).rules()
	if strings.Contains(rules, "jump") {
		t.Errorf("the policy is of another namespace:\n%s", rules)
	}
}

func TestAPodSelectorMeansPodsOfThePolicysNamespace(t *testing.T) {
	to := []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "server"}}}}
	spec := netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{To: to}}}
	rules := world([]*corev1.Pod{client, server, stranger}, policy("team", map[string]string{"role": "client"}, spec)).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "ip daddr { 10.244.0.3 } return")
}

func TestNamespaceAndPodSelectorInOnePeerMustBothMatch(t *testing.T) {
	to := []netv1.NetworkPolicyPeer{{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "other"}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"role": "server"}},
	}}
	spec := netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{To: to}}}
	rules := world([]*corev1.Pod{client, server, stranger}, policy("team", map[string]string{"role": "client"}, spec)).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "ip daddr { 10.244.0.4 } return")
}

func TestAPeerThatSelectsNobodyAllowsNobody(t *testing.T) {
	to := []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "nobody"}}}}
	spec := netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{To: to}}}
	rules := world([]*corev1.Pod{client, server}, policy("team", map[string]string{"role": "client"}, spec)).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"))
}

func TestARuleWithoutPeersAllowsEveryoneOnItsPorts(t *testing.T) {
	ports := []netv1.NetworkPolicyPort{{Protocol: ptr(corev1.ProtocolUDP), Port: ptr(intstr.FromInt32(53))}}
	spec := netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{Ports: ports}}}
	rules := world([]*corev1.Pod{client}, policy("team", nil, spec)).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "udp dport 53 return")
}

func TestPortRangesAndPortsOfAWholeProtocol(t *testing.T) {
	ports := []netv1.NetworkPolicyPort{{Port: ptr(intstr.FromInt32(8000)), EndPort: ptr(int32(8010))}, {Protocol: ptr(corev1.ProtocolSCTP)}}
	spec := netv1.NetworkPolicySpec{PolicyTypes: ingressOnly, Ingress: []netv1.NetworkPolicyIngressRule{{Ports: ports}}}
	rules := world([]*corev1.Pod{server}, policy("team", nil, spec)).rules()
	expect(t, body(t, rules, "in_10_244_0_3_"), "meta l4proto sctp return", "tcp dport 8000-8010 return")
}

func TestANamedPortOfAnIngressRuleIsThePodsOwn(t *testing.T) {
	spec := netv1.NetworkPolicySpec{PolicyTypes: ingressOnly, Ingress: []netv1.NetworkPolicyIngressRule{{
		From:  []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "client"}}}},
		Ports: []netv1.NetworkPolicyPort{{Port: ptr(intstr.FromString("http"))}, {Port: ptr(intstr.FromString("unknown"))}},
	}}}
	rules := world([]*corev1.Pod{client, server}, policy("team", map[string]string{"role": "server"}, spec)).rules()
	expect(t, body(t, rules, "in_10_244_0_3_"), "ip saddr { 10.244.0.2 } tcp dport 8080 return")
}

func TestANamedPortOfAnEgressRuleIsEachPeersOwn(t *testing.T) {
	second := pod("team", "second", "10.244.0.9", map[string]string{"role": "server"},
		corev1.ContainerPort{Name: "http", ContainerPort: 9090, Protocol: corev1.ProtocolTCP})
	spec := netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{
		To:    []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"role": "server"}}}},
		Ports: []netv1.NetworkPolicyPort{{Port: ptr(intstr.FromString("http"))}},
	}}}
	rules := world([]*corev1.Pod{client, server, second}, policy("team", map[string]string{"role": "client"}, spec)).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "ip daddr 10.244.0.3 tcp dport 8080 return", "ip daddr 10.244.0.9 tcp dport 9090 return")
}

func TestASidecarsNamedPortCountsAndAnInitContainersDoesNot(t *testing.T) {
	p := pod("team", "p", "10.244.0.5", nil)
	p.Spec.InitContainers = []corev1.Container{
		{Name: "init", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 1}}},
		{Name: "sidecar", RestartPolicy: ptr(corev1.ContainerRestartPolicyAlways), Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 2}}},
	}
	if got := namedPorts(p, "http", "tcp"); len(got) != 1 || got[0] != 2 {
		t.Errorf("got %v, want [2]", got)
	}
}

func block(cidr string, except ...string) netv1.NetworkPolicySpec {
	to := []netv1.NetworkPolicyPeer{{IPBlock: &netv1.IPBlock{CIDR: cidr, Except: except}}}
	return netv1.NetworkPolicySpec{PolicyTypes: egressOnly, Egress: []netv1.NetworkPolicyEgressRule{{To: to}}}
}

func TestAnIPBlockAllowsItsPrefixWithoutTheExceptions(t *testing.T) {
	rules := world([]*corev1.Pod{client}, policy("team", nil, block("0.0.0.0/0", "10.0.0.0/8", "172.30.0.1/24"))).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "ip daddr 0.0.0.0/0 ip daddr != { 10.0.0.0/8, 172.30.0.0/24 } return")
}

func TestAnIPBlockThatIsNotReadableAsIPv4AllowsNothing(t *testing.T) {
	for _, spec := range []netv1.NetworkPolicySpec{block("::/0"), block("nonsense"), block("0.0.0.0/0", "nonsense"), block("0.0.0.0/0", "fd00::/8")} {
		expect(t, body(t, world([]*corev1.Pod{client}, policy("team", nil, spec)).rules(), "out_10_244_0_2_"))
	}
}

func TestSeveralPoliciesAddUp(t *testing.T) {
	rules := world([]*corev1.Pod{client}, policy("team", nil, block("192.0.2.0/24")), policy("team", nil, block("198.51.100.0/24"))).rules()
	expect(t, body(t, rules, "out_10_244_0_2_"), "ip daddr 192.0.2.0/24 return", "ip daddr 198.51.100.0/24 return")
}

func TestASelectorThatCannotBeUnderstoodIsolates(t *testing.T) {
	np := policy("team", nil, netv1.NetworkPolicySpec{PolicyTypes: egressOnly})
	np.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "role", Operator: "NoSuchOperator"}}
	expect(t, body(t, world([]*corev1.Pod{client}, np).rules(), "out_10_244_0_2_"))
}

func TestPacketsFromAndToUnknownPodAddressesAreDropped(t *testing.T) {
	rules := world([]*corev1.Pod{client}).rules()
	for _, want := range []string{"set known { type ipv4_addr; elements = { 10.244.0.2 } }", "ip saddr 10.244.0.0/24 ip saddr != @known drop", "ip daddr 10.244.0.0/24 ip daddr != @known drop"} {
		if !strings.Contains(rules, want) {
			t.Errorf("%q is missing in\n%s", want, rules)
		}
	}
}

func TestOnlyRepliesPassWithoutBeingJudged(t *testing.T) {
	rules := world(nil).rules()
	if strings.Contains(rules, "established,related accept") || !strings.Contains(rules, "ct state established ct direction reply accept") {
		t.Errorf("a connection opened before a policy would outlive it:\n%s", rules)
	}
}

func TestFinishedHostNetworkAndAddresslessPodsAreNotKnown(t *testing.T) {
	done, host, pending := pod("team", "done", "10.244.0.5", nil), pod("team", "host", "10.244.0.6", nil), pod("team", "pending", "", nil)
	done.Status.Phase = corev1.PodSucceeded
	host.Spec.HostNetwork = true
	if rules := world([]*corev1.Pod{done, host, pending}).rules(); !strings.Contains(rules, "set known { type ipv4_addr; }") {
		t.Errorf("nobody should be known:\n%s", rules)
	}
}

func TestAnAddressThatWasGivenOnBelongsToThePodThatStays(t *testing.T) {
	old, fresh := pod("team", "a-old", "10.244.0.7", nil), pod("team", "fresh", "10.244.0.7", nil)
	old.DeletionTimestamp = ptr(metav1.Now())
	for _, pods := range [][]*corev1.Pod{{old, fresh}, {fresh, old}} {
		if got := world(pods).addressedPods(); len(got) != 1 || got[0] != fresh {
			t.Errorf("got %v", got)
		}
	}
}

func TestEqualWorldsGiveEqualTables(t *testing.T) {
	np := policy("team", nil, block("192.0.2.0/24"))
	a, b := world([]*corev1.Pod{client, server, stranger}, np).rules(), world([]*corev1.Pod{stranger, server, client}, np).rules()
	if a != b {
		t.Errorf("the order of a listing changes the table:\n%s\n%s", a, b)
	}
}

func TestNftAcceptsTheTable(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil || os.Getuid() != 0 {
		t.Skip("needs nft and root")
	}
	spec := netv1.NetworkPolicySpec{PolicyTypes: []netv1.PolicyType{netv1.PolicyTypeIngress, netv1.PolicyTypeEgress},
		Ingress: []netv1.NetworkPolicyIngressRule{{From: []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
			Ports: []netv1.NetworkPolicyPort{{Port: ptr(intstr.FromInt32(1)), EndPort: ptr(int32(9))}, {Protocol: ptr(corev1.ProtocolSCTP)}}}},
		Egress: block("0.0.0.0/0", "10.0.0.0/8").Egress}
	cmd := exec.Command("nft", "--check", "-f", "-")
	cmd.Stdin = strings.NewReader(world([]*corev1.Pod{client, server, stranger}, policy("team", nil, spec)).rules())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("nft: %v\n%s", err, out)
	}
}

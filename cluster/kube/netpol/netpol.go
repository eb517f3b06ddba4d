// Package netpol enforces NetworkPolicy on one node with nftables.
package netpol

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// How long a table that somebody else deleted (`nft flush ruleset`) may be missing.
const tableCheckInterval = 5 * time.Second

// Main enforces NetworkPolicy (networking.k8s.io/v1) for the pods of one node: it watches pods, namespaces and
// policies, and on each change writes the rules of rules.go as one nftables table in one transaction.
//
// The table stays when the process stops: enforcement outlives it, and packets of pods that came later are dropped.
func Main(args []string) {
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("netpol", flag.ExitOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig to read pods, namespaces and policies with")
	podCIDR := fs.String("pod-cidr", "10.244.0.0/24", "addresses of this node's pods")
	klog.InitFlags(fs)
	_ = fs.Parse(args)

	prefix, err := netip.ParsePrefix(*podCIDR)
	if err != nil {
		return err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
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
	pods, namespaces, policies := f.Core().V1().Pods().Informer(), f.Core().V1().Namespaces().Informer(), f.Networking().V1().NetworkPolicies().Informer()
	dirty := make(chan struct{}, 1)
	kick := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	onChange := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { kick() }, UpdateFunc: func(any, any) { kick() }, DeleteFunc: func(any) { kick() },
	}
	for _, i := range []cache.SharedIndexInformer{pods, namespaces, policies} {
		if _, err := i.AddEventHandler(onChange); err != nil {
			return err
		}
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())

	world := func() snapshot {
		w := snapshot{podCIDR: prefix, namespaces: map[string]*corev1.Namespace{}}
		for _, o := range pods.GetIndexer().List() {
			w.pods = append(w.pods, o.(*corev1.Pod))
		}
		for _, o := range namespaces.GetIndexer().List() {
			ns := o.(*corev1.Namespace)
			w.namespaces[ns.Name] = ns
		}
		for _, o := range policies.GetIndexer().List() {
			w.policies = append(w.policies, o.(*netv1.NetworkPolicy))
		}
		return w
	}
	kick()
	enforce(ctx, dirty, kick, func() string { return world().rules() })
	return nil
}

// enforce writes what render gives whenever it is kicked and the result differs, and again when the table is gone.
func enforce(ctx context.Context, dirty <-chan struct{}, kick func(), render func() string) {
	check := time.NewTicker(tableCheckInterval)
	defer check.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			if exec.CommandContext(ctx, "nft", "list", "chain", "inet", table, "forward").Run() == nil {
				continue
			}
			last = ""
		case <-dirty:
		}
		if rules := render(); rules != last {
			if err := writeTable(ctx, rules); err != nil {
				klog.ErrorS(err, "nft refused the rules; the earlier ones stay in force, retrying in a second", "rules", rules)
				time.AfterFunc(time.Second, kick)
			} else {
				last = rules
				klog.V(2).InfoS("rules written", "bytes", len(rules))
			}
		}
		time.Sleep(50 * time.Millisecond) // let a burst of events share one write
	}
}

func writeTable(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

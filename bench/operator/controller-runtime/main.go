// Command controller-runtime is the benchmark's operator on sigs.k8s.io/controller-runtime. It speaks the protocol of
// bench/operator/README: settings from the environment, one JSON line when its caches are complete, {"passes":n} on
// SIGUSR2, an end on SIGTERM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const ownerIndex = "owner"

type reconciler struct {
	client.Client
	children bool
	passes   atomic.Int64
}

// Reconcile brings one widget's status up to its spec.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.passes.Add(1)
	var widget Widget
	if err := r.Get(ctx, request.NamespacedName, &widget); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.children && widget.Spec.Children > 0 {
		complete, err := r.ensureChildren(ctx, &widget)
		if err != nil || !complete {
			return ctrl.Result{}, err
		}
	}
	if widget.Status.Revision == widget.Spec.Revision {
		return ctrl.Result{}, nil
	}
	widget.Status.Revision, widget.Status.Children = widget.Spec.Revision, widget.Spec.Children
	widget.Status.ObservedGeneration = widget.Generation
	ready := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", ObservedGeneration: widget.Generation}
	meta.SetStatusCondition(&widget.Status.Conditions, ready)
	if err := r.Status().Update(ctx, &widget); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{Requeue: true}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{}, nil
}

// ensureChildren creates what the cache lacks; true once the cache has them all.
func (r *reconciler) ensureChildren(ctx context.Context, widget *Widget) (bool, error) {
	var owned corev1.ConfigMapList
	if err := r.List(ctx, &owned, client.InNamespace(widget.Namespace), client.MatchingFields{ownerIndex: string(widget.UID)}); err != nil {
		return false, err
	}
	if len(owned.Items) >= widget.Spec.Children {
		return true, nil
	}
	known := make(map[string]bool, len(owned.Items))
	for i := range owned.Items {
		known[owned.Items[i].Name] = true
	}
	for i := range widget.Spec.Children {
		name := fmt.Sprintf("%s-%d", widget.Name, i)
		if known[name] {
			continue
		}
		child := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: widget.Namespace, Name: name}, Data: map[string]string{"index": strconv.Itoa(i)}}
		if err := ctrl.SetControllerReference(widget, child, r.Scheme()); err != nil {
			return false, err
		}
		if err := r.Create(ctx, child); err != nil && !apierrors.IsAlreadyExists(err) {
			return false, err
		}
	}
	return false, nil
}

func run() error {
	mode, namespace := os.Getenv("RUNE_BENCH_MODE"), os.Getenv("RUNE_BENCH_NAMESPACE")
	workers, err := strconv.Atoi(os.Getenv("RUNE_BENCH_WORKERS"))
	if err != nil {
		return fmt.Errorf("RUNE_BENCH_WORKERS: %w", err)
	}
	ctrl.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	addToScheme(scheme)
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // none of the others throttles itself
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: manager.GetClient(), children: mode == "children"}
	ctx := ctrl.SetupSignalHandler()
	if err := register(ctx, manager, r, mode, workers); err != nil {
		return err
	}
	go tellPasses(r)
	go func() {
		if manager.GetCache().WaitForCacheSync(ctx) {
			fmt.Println(`{"synced":true}`)
		}
	}()
	return manager.Start(ctx)
}

func register(ctx context.Context, manager ctrl.Manager, r *reconciler, mode string, workers int) error {
	// Named now, so that "synced" waits for it.
	if _, err := manager.GetCache().GetInformer(ctx, &Widget{}); err != nil || mode == "cache" {
		return err
	}
	builder := ctrl.NewControllerManagedBy(manager).Named("widget").For(&Widget{}).WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	if r.children {
		byOwner := func(object client.Object) []string {
			if owner := metav1.GetControllerOf(object); owner != nil {
				return []string{string(owner.UID)}
			}
			return nil
		}
		if err := manager.GetFieldIndexer().IndexField(ctx, &corev1.ConfigMap{}, ownerIndex, byOwner); err != nil {
			return err
		}
		builder = builder.Owns(&corev1.ConfigMap{})
	}
	return builder.Complete(r)
}

func tellPasses(r *reconciler) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	for range asked {
		fmt.Printf("{\"passes\":%d}\n", r.passes.Load())
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const localpvProvisioner = "rune.dev/directory"

// localpv provisions claims of StorageClasses with provisioner rune.dev/directory as
// directories of this node ("local" volumes, so fsGroup works), and removes them
// with the claim. Sizes are not enforced. (kube-controller-manager's own
// --enable-hostpath-provisioner writes to /tmp/hostpath_pv, mode 0750, and as
// hostPath volumes ignore fsGroup only root can use what it makes.)
func localpvMain(args []string) {
	fs := flag.NewFlagSet("localpv", flag.ExitOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig")
	dir := fs.String("dir", "", "where the volumes go")
	node := fs.String("node", "node1", "name of this node")
	klog.InitFlags(fs)
	_ = fs.Parse(args)
	cfg, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, "localpv:", err)
		os.Exit(1)
	}
	c := kubernetes.NewForConfigOrDie(cfg)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	f := informers.NewSharedInformerFactory(c, 60e9) // the resync retries what failed

	claim := func(o any) {
		p := o.(*corev1.PersistentVolumeClaim)
		if p.Spec.VolumeName != "" || p.Spec.StorageClassName == nil || p.Annotations["volume.kubernetes.io/storage-provisioner"] != localpvProvisioner {
			return
		}
		name := "pvc-" + string(p.UID)
		path := filepath.Join(*dir, name)
		if err := os.MkdirAll(path, 0o777); err == nil {
			_ = os.Chmod(path, 0o777) // whatever the umask
		}
		mode := corev1.PersistentVolumeFilesystem
		pv := &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": localpvProvisioner}},
			Spec: corev1.PersistentVolumeSpec{
				AccessModes: p.Spec.AccessModes, StorageClassName: *p.Spec.StorageClassName, VolumeMode: &mode,
				Capacity:                      corev1.ResourceList{corev1.ResourceStorage: p.Spec.Resources.Requests[corev1.ResourceStorage]},
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
				ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
				PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
				NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
					MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{*node}}}}}}},
			},
		}
		if _, err := c.CoreV1().PersistentVolumes().Create(ctx, pv, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			klog.ErrorS(err, "creating a volume", "claim", klog.KObj(p))
		}
	}
	volume := func(o any) {
		v := o.(*corev1.PersistentVolume)
		if v.Status.Phase != corev1.VolumeReleased || v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || v.Annotations["pv.kubernetes.io/provisioned-by"] != localpvProvisioner ||
			v.Spec.Local == nil || filepath.Dir(v.Spec.Local.Path) != filepath.Clean(*dir) || !strings.HasPrefix(filepath.Base(v.Spec.Local.Path), "pvc-") {
			return
		}
		if err := os.RemoveAll(v.Spec.Local.Path); err != nil {
			klog.ErrorS(err, "removing a volume", "volume", v.Name)
			return
		}
		_ = c.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{})
	}
	on := func(i cache.SharedIndexInformer, fn func(any)) {
		_, _ = i.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: fn, UpdateFunc: func(_, n any) { fn(n) }})
	}
	on(f.Core().V1().PersistentVolumeClaims().Informer(), claim)
	on(f.Core().V1().PersistentVolumes().Informer(), volume)
	f.Start(ctx.Done())
	<-ctx.Done()
}

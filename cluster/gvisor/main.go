// Command containerd-shim-runsc-v1 is gVisor's shim between containerd and
// runsc, with a start that also works where root lacks CAP_SYS_RESOURCE.
//
// gVisor's own start gives the shim an OOM score of -999, which the kernel
// refuses to such a root ("failed to set OOM Score on shim: permission denied"),
// and then no container starts. This one asks for a point more than
// containerd's score, as containerd's shim of runc does.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/shim"
	runsc "gvisor.dev/gvisor/pkg/shim/v1"
	_ "gvisor.dev/gvisor/pkg/shim/v1/plugin" // registers runsc's task service
)

func main() {
	shim.Run(context.Background(), manager{runsc.NewShimManager("io.containerd.runsc.v1")})
}

// manager is gVisor's but for Start.
type manager struct{ shim.Manager }

// Start starts the shim of one container, in the container's bundle, and
// returns the socket on which it serves.
func (manager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	none := shim.BootstrapParams{}
	address, err := shim.SocketAddress(ctx, opts.Address, id, opts.Debug)
	if err != nil {
		return none, err
	}
	socket, err := listen(address)
	if err != nil {
		return none, fmt.Errorf("listen on the shim's socket %s: %w", address, err)
	}
	if err := serve(ctx, id, opts, socket, address); err != nil {
		socket.Close() // removes its file, too
		return none, fmt.Errorf("start the shim of %s: %w", id, err)
	}
	return shim.BootstrapParams{Version: 2, Address: address, Protocol: "ttrpc"}, nil
}

// listen replaces the socket of a shim that was killed.
func listen(address string) (*net.UnixListener, error) {
	socket, err := shim.NewSocket(address)
	if err == nil || !shim.SocketEaddrinuse(err) || shim.CanConnect(address) {
		return socket, err
	}
	if err := shim.RemoveSocket(address); err != nil {
		return nil, err
	}
	return shim.NewSocket(address)
}

// serve starts this program again, as the server on that socket, and records
// what containerd and that server look for in the bundle.
func serve(ctx context.Context, id string, opts shim.StartOpts, socket *net.UnixListener, address string) error {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := socket.File()
	if err != nil {
		return err
	}
	if err := os.WriteFile("address", []byte(address), 0o644); err != nil {
		return err
	}
	server := exec.Command(self, "-namespace", namespace, "-address", opts.Address, "-id", id)
	if opts.Debug {
		server.Args = append(server.Args, "-debug")
	}
	server.Env = append(os.Environ(), "GOMAXPROCS=2")
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	server.ExtraFiles = []*os.File{file}
	if err := server.Start(); err != nil {
		return err
	}
	err = shim.WritePidFile("shim.pid", server.Process.Pid)
	if err == nil {
		err = shim.AdjustOOMScore(server.Process.Pid)
	}
	if err != nil {
		_ = server.Process.Kill()
	}
	return err
}

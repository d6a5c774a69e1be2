//go:build linux

package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A Machine says where, when and with what results were found.
type Machine struct {
	Date     time.Time         `json:"date"`
	CPU      string            `json:"cpu"`
	CPUs     int               `json:"cpus"`
	Memory   string            `json:"memory"`
	Kernel   string            `json:"kernel"`
	Load     string            `json:"load"`     // average, before the first run
	Versions map[string]string `json:"versions"` // of what was measured and what it runs on
}

// Describe looks at this machine. bench is the directory of this module.
func Describe(ctx context.Context, bench string, servers []string) Machine {
	m := Machine{
		Date:   time.Now().UTC().Truncate(time.Second),
		CPUs:   runtime.NumCPU(),
		CPU:    procValue("/proc/cpuinfo", "model name"),
		Memory: procValue("/proc/meminfo", "MemTotal"),
		Kernel: procLine("/proc/sys/kernel/osrelease"),
		Load:   procLine("/proc/loadavg"),
		Versions: map[string]string{
			"go":       runtime.Version(),
			"socketio": output(ctx, bench, "git", "describe", "--always", "--dirty"),
			"gorilla/websocket": output(ctx, bench, "go", "list", "-m", "-f", "{{.Version}}",
				"github.com/gorilla/websocket"),
		},
	}
	for _, server := range servers {
		if server == Node {
			m.Versions["node"] = output(ctx, bench, "node", "--version")
			m.Versions["redis-server"] = output(ctx, bench, "redis-server", "--version")
			for _, name := range []string{"socket.io", "engine.io", "ws", "redis", "@socket.io/redis-adapter"} {
				m.Versions[name] = output(ctx, filepath.Join(bench, "fixtures", Node), "node", "-p",
					fmt.Sprintf("JSON.parse(fs.readFileSync('node_modules/%s/package.json')).version", name))
			}
		}
	}
	return m
}

func output(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	text, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func procLine(file string) string {
	text, _ := os.ReadFile(file)
	return strings.TrimSpace(string(text))
}

// procValue returns the first value of a key in a file of "key: value" lines.
func procValue(file, key string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return "unknown"
}

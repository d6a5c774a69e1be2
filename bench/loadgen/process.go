//go:build linux

package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is a process's CPU time in seconds.
type cpu struct{ user, system float64 }

func (c cpu) sum() float64 { return c.user + c.system }

func (c cpu) sub(earlier cpu) cpu { return cpu{c.user - earlier.user, c.system - earlier.system} }

// cpuOf reads the CPU time of all threads of a process, which the kernel gives
// in steps of 10 ms. It is zero for a process that has ended.
func cpuOf(pid int) cpu {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return cpu{}
	}
	// The fields behind the command, which may contain anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return cpu{user / 100, system / 100}
}

// ownCPU is the generator's own.
func ownCPU() cpu {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return cpu{seconds(usage.Utime), seconds(usage.Stime)}
}

// RSS returns this process's resident set in KiB.
func RSS() float64 { return rssOf(os.Getpid()) }

// rssOf returns the resident set of a process in KiB.
func rssOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib
		}
	}
	return 0
}

// debugInfo is what a fixture tells of itself. Zero means that it does not.
type debugInfo struct {
	Goroutines float64 `json:"goroutines"`
	Heap       float64 `json:"heap"`
	Stack      float64 `json:"stack"`
	Mallocs    float64 `json:"mallocs"`
	AllocBytes float64 `json:"allocBytes"`
}

// debug asks a fixture for its figures, after a garbage collection if gc is set.
func (cfg *Config) debug(gc bool) (info debugInfo) {
	if cfg.Debug == "" {
		return info
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://" + cfg.Debug + "/debug"
	if gc {
		url += "?gc=1"
	}
	response, err := client.Get(url)
	if err != nil {
		return info
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&info) != nil {
		return debugInfo{}
	}
	return info
}

// RaiseFileLimit lets this process, and those it starts, open as many
// connections as the system permits. It returns how many that is.
func RaiseFileLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return 0, err
		}
	}
	return limit.Cur, nil
}

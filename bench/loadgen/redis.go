//go:build linux

package loadgen

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// redisInfo are Redis' own counters.
type redisInfo struct {
	publishes, in, out float64 // commands; bytes from and to its clients
	cpu                cpu
}

// redisCounters asks a Redis for its counters.
func redisCounters(addr string) (info redisInfo, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return info, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "INFO everything\r\n"); err != nil {
		return info, err
	}
	reader := bufio.NewReader(conn)
	head, err := reader.ReadString('\n')
	if err != nil {
		return info, err
	}
	length, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "$")))
	if err != nil {
		return info, fmt.Errorf("no counters from Redis: %q", head)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(reader, text); err != nil {
		return info, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "cmdstat_publish", "cmdstat_spublish":
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, _ := strconv.ParseFloat(calls, 64)
			info.publishes += n
		case "total_net_input_bytes":
			info.in = n
		case "total_net_output_bytes":
			info.out = n
		case "used_cpu_user":
			info.cpu.user = n
		case "used_cpu_sys":
			info.cpu.system = n
		}
	}
	return info, nil
}

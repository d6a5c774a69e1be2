//go:build linux

package suite

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/socketio-go/socketio/bench/loadgen"
)

// Plot draws what there are results for, as SVG files in dir.
func (r *Results) Plot(dir string) error {
	return errors.Join(
		r.plotSeries(filepath.Join(dir, "cost-by-connections.svg"), scaleConnections, connectionCounts,
			"Echo, 1 in flight", "connections"),
		r.plotSeries(filepath.Join(dir, "cost-by-room.svg"), scaleRoom, roomSizes,
			"Broadcast, 4 in flight", "members of the room"),
		r.plotLatency(filepath.Join(dir, "latency-echo.svg"), echoRate, "Echo at 4000 messages a second"),
		r.plotLatency(filepath.Join(dir, "latency-broadcast.svg"), broadcast, "Broadcast to 1000, 4 in flight"),
		r.plotGoals(filepath.Join(dir, "cost.svg")),
	)
}

// A look is how a server is drawn.
type look struct {
	server, name string
	color        color.Color
	glyph        draw.GlyphDrawer
}

var looks = []look{
	{Ours, "this library", color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}, draw.CircleGlyph{}},
	{Raw, "plain gorilla/websocket, no Socket.IO", color.RGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff}, draw.SquareGlyph{}},
	{Node, "socket.io for Node", color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}, draw.TriangleGlyph{}},
}

const (
	plotWidth  = 16 * vg.Centimeter
	plotHeight = 9 * vg.Centimeter
	plotMargin = 3 * vg.Millimeter
)

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	for _, style := range []*font.Font{
		&p.Title.TextStyle.Font, &p.Legend.TextStyle.Font,
		&p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Label.TextStyle.Font, &p.Y.Tick.Label.Font,
	} {
		style.Variant = "Sans"
	}
	p.Title.Padding = vg.Points(4)
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.BackgroundColor = color.White
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(2)
	p.X.Padding, p.Y.Padding = vg.Points(4), vg.Points(4)
	grid := plotter.NewGrid()
	grid.Horizontal.Color = color.Gray{0xe0}
	grid.Vertical.Color = color.Gray{0xe0}
	p.Add(grid)
	return p
}

// line adds a line with a glyph at every point.
func line(p *plot.Plot, l look, points plotter.XYs) error {
	lines, glyphs, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	lines.Color, lines.Width = l.color, vg.Points(1.5)
	glyphs.Color, glyphs.Shape, glyphs.Radius = l.color, l.glyph, vg.Points(3)
	p.Add(lines, glyphs)
	p.Legend.Add(l.name, lines, glyphs)
	return nil
}

// plotSeries draws what a message costs against a size.
func (r *Results) plotSeries(file string, s series, sizes []int, title, unit string) error {
	p := newPlot(title, unit, "server CPU, µs a message")
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = sizeTicks(sizes)
	p.Y.Min = 0
	drawn := false
	for _, l := range looks {
		var points plotter.XYs
		for _, n := range sizes {
			if sample := r.sample(sized(s, n), l.server, cpuFigure); len(sample) > 0 {
				points = append(points, plotter.XY{X: float64(n), Y: sample.median()})
			}
		}
		if len(points) < 2 {
			continue
		}
		drawn = true
		if err := line(p, l, points); err != nil {
			return err
		}
	}
	headroom(p, 1.4)
	return save(p, file, drawn)
}

// headroom makes place for the legend above what is drawn.
func headroom(p *plot.Plot, factor float64) { p.Y.Max *= factor }

func sizeTicks(sizes []int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, n := range sizes {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: itoa(n)})
	}
	return ticks
}

// quantiles are those that latencies are drawn at.
var quantiles = []struct {
	q     float64
	label string
	of    func(*loadgen.Latency) float64
}{
	{.5, "50 %", func(l *loadgen.Latency) float64 { return l.P50 }},
	{.75, "75 %", func(l *loadgen.Latency) float64 { return l.P75 }},
	{.9, "90 %", func(l *loadgen.Latency) float64 { return l.P90 }},
	{.95, "95 %", func(l *loadgen.Latency) float64 { return l.P95 }},
	{.99, "99 %", func(l *loadgen.Latency) float64 { return l.P99 }},
	{.995, "99.5 %", func(l *loadgen.Latency) float64 { return l.P995 }},
	{.999, "99.9 %", func(l *loadgen.Latency) float64 { return l.P999 }},
}

// plotLatency draws how many messages took how long. The axis of quantiles has
// every nine as long as the one before.
func (r *Results) plotLatency(file, name, title string) error {
	p := newPlot(title, "so many messages took at most", "microseconds")
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = latencyTicks{}
	p.Legend.Left = true
	nines := func(q float64) float64 { return -math.Log10(1 - q) }
	var ticks plot.ConstantTicks
	for _, q := range quantiles {
		ticks = append(ticks, plot.Tick{Value: nines(q.q), Label: q.label})
	}
	p.X.Tick.Marker = ticks
	drawn := false
	for _, l := range looks {
		var points plotter.XYs
		for _, q := range quantiles {
			sample := r.sample(name, l.server, func(run *Run) (float64, bool) {
				if run.Latency == nil {
					return 0, false
				}
				return q.of(run.Latency), true
			})
			if len(sample) > 0 {
				points = append(points, plotter.XY{X: nines(q.q), Y: sample.median()})
			}
		}
		if len(points) == 0 {
			continue
		}
		drawn = true
		if err := line(p, l, points); err != nil {
			return err
		}
	}
	headroom(p, 3)
	return save(p, file, drawn)
}

// latencyTicks marks 1, 2 and 5 of every decade.
type latencyTicks struct{}

func (latencyTicks) Ticks(lowest, highest float64) (ticks []plot.Tick) {
	for decade := math.Pow(10, math.Floor(math.Log10(lowest))); decade <= highest; decade *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if v := decade * step; v >= lowest && v <= highest {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
			}
		}
	}
	return ticks
}

// plotGoals draws the ratios of the main table as bars.
func (r *Results) plotGoals(file string) error {
	var names []string
	var bars [2]plotter.Values // ours, Node
	for _, g := range goals {
		s := r.standing(g)
		if g.unit != perMillion || len(s.ours) == 0 || len(s.raw) == 0 || len(s.node) == 0 {
			continue
		}
		names = append(names, strings.Replace(g.from, "-", "\n", 1)) // on two lines there is room for it
		bars[0] = append(bars[0], s.ours.median()/s.raw.median())
		bars[1] = append(bars[1], s.node.median()/s.raw.median())
	}
	if len(names) == 0 {
		return nil
	}
	p := newPlot("Server CPU for the same work", "", "plain gorilla/websocket = 1")
	for i, l := range []look{looks[0], looks[2]} {
		chart, err := plotter.NewBarChart(bars[i], vg.Points(14))
		if err != nil {
			return err
		}
		chart.Color, chart.LineStyle.Width = l.color, 0
		chart.Offset = vg.Points(float64(2*i-1) * 7)
		p.Add(chart)
		p.Legend.Add(l.name, chart)
	}
	one := plotter.NewFunction(func(float64) float64 { return 1 })
	one.Color, one.Width = looks[1].color, vg.Points(1.5)
	p.Add(one)
	p.Legend.Add(looks[1].name, one)
	p.NominalX(names...)
	p.Y.Min = 0
	headroom(p, 1.35)
	return save(p, file, true)
}

// save writes a plot, unless there is nothing in it.
func save(p *plot.Plot, file string, drawn bool) error {
	if !drawn {
		return nil
	}
	canvas := vgsvg.New(plotWidth, plotHeight)
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Path())
	p.Draw(draw.Crop(page, plotMargin, -plotMargin, plotMargin, -plotMargin))
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(f)
	return errors.Join(err, f.Close())
}

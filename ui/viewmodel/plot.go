package viewmodel

import (
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// Bar is one bar of a plot; Height and Failed are shares of the plot's height.
type Bar struct {
	Height, Failed float32
	Label, Caption string
}

// Tick is a line across a plot.
type Tick struct {
	At    float32
	Label string
}

// Plot is a plot of bars.
type Plot struct {
	Bars    []Bar
	Ticks   []Tick
	Caption string
	Empty   string
}

// The last hours on the overview.
const (
	SentHours = 6
	SentSpan  = 10 * time.Minute
)

// NewSentPlot draws what left in the last hours.
func NewSentPlot(p say.Printer, spans []app.SentSpan, now time.Time) Plot {
	highest, sum, failed := 0, 0, 0
	for _, s := range spans {
		highest = max(highest, s.Recipients+s.Failed)
		sum += s.Recipients
		failed += s.Failed
	}
	plot := Plot{Empty: p.Text(say.N(SentHours, "Nothing was sent in the last hour.", "Nothing was sent in the last {{.N}} hours."))}
	if highest == 0 {
		return plot
	}
	top := niceCeil(int64(highest))
	plot.Ticks = ticks(p, top)
	for _, s := range spans {
		from := s.From.In(now.Location())
		b := Bar{Height: share(int64(s.Recipients+s.Failed), top), Failed: share(int64(s.Failed), top)}
		if from.Minute() == 0 {
			b.Label = from.Format("15:04")
		}
		b.Caption = sentCaption(p, from.Format("15:04"), from.Add(SentSpan).Format("15:04"), s)
		plot.Bars = append(plot.Bars, b)
	}
	caption := say.N(sum, "{{.N}} recipient in the last {{.Hours}} hours", "{{.N}} recipients in the last {{.Hours}} hours")
	if failed > 0 {
		caption = say.N(sum, "{{.N}} recipient in the last {{.Hours}} hours, {{.Failed}} refused", "{{.N}} recipients in the last {{.Hours}} hours, {{.Failed}} refused").With("Failed", failed)
	}
	plot.Caption = p.Text(caption.With("Hours", SentHours))
	return plot
}

func sentCaption(p say.Printer, from, to string, s app.SentSpan) string {
	t := say.N(s.Recipients, "{{.From}}–{{.To}}: {{.N}} recipient", "{{.From}}–{{.To}}: {{.N}} recipients")
	if s.Failed > 0 {
		t = say.N(s.Recipients, "{{.From}}–{{.To}}: {{.N}} recipient, {{.Failed}} refused", "{{.From}}–{{.To}}: {{.N}} recipients, {{.Failed}} refused").With("Failed", s.Failed)
	}
	return p.Text(t.With("From", from).With("To", to))
}

// ticks are two lines: the top and the middle.
func ticks(p say.Printer, top int64) []Tick {
	out := []Tick{{At: 1, Label: p.Number(top)}}
	if top%2 == 0 {
		out = append([]Tick{{At: 0.5, Label: p.Number(top / 2)}}, out...)
	}
	return out
}

// niceCeil is the next of 1, 2, 4, 5, 10, 20, 40, 50, … that is not below n.
func niceCeil(n int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, m := range []int64{1, 2, 4, 5} {
			if n <= m*unit || unit > 1e17 {
				return m * unit
			}
		}
	}
}

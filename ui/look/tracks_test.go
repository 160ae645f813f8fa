package look

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPlace(t *testing.T) {
	tracks := []track{{least: 100, grow: 1}, {least: 60, drop: 2}, {least: 40, drop: 1}, {least: 50}}
	for _, c := range []struct {
		name  string
		width float32
		want  []span
	}{
		{"exactly", 280, []span{{0, 100}, {110, 60}, {180, 40}, {230, 50}}},
		{"more goes to the one that grows", 300, []span{{0, 120}, {130, 60}, {200, 40}, {250, 50}}},
		{"the highest drop goes first", 279, []span{{0, 169}, {}, {179, 40}, {229, 50}}},
		{"then the next", 200, []span{{0, 140}, {}, {}, {150, 50}}},
		{"then all shrink alike", 85, []span{{0, 50}, {}, {}, {60, 25}}},
		{"nothing is left", 0, []span{{0, 0}, {}, {}, {10, 0}}},
	} {
		got := place(tracks, c.width, 10)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// TestPlaceNeverOverlaps holds for any columns and any width.
func TestPlaceNeverOverlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tracks []track
		for range rapid.IntRange(1, 8).Draw(t, "columns") {
			tracks = append(tracks, track{
				least: rapid.Float32Range(10, 300).Draw(t, "least"),
				grow:  float32(rapid.IntRange(0, 3).Draw(t, "grow")),
				drop:  rapid.IntRange(0, 3).Draw(t, "drop"),
			})
		}
		width := rapid.Float32Range(100, 2000).Draw(t, "width")
		end := float32(0)
		for _, s := range place(tracks, width, 10) {
			if s.width == 0 {
				continue
			}
			if s.x < end {
				t.Errorf("a column begins at %.1f, the one before ends at %.1f", s.x, end)
			}
			end = s.x + s.width
		}
		if end > width+0.1 {
			t.Errorf("the columns end at %.1f, want at most %.1f", end, width)
		}
	})
}

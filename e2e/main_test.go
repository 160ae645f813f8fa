package e2e

import (
	"os"
	"testing"

	"servicesmtp.net/companion/e2e/world"
)

func TestMain(m *testing.M) { os.Exit(world.Main(m, false)) }

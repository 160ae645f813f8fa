package e2e

import (
	"os"
	"testing"

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/server/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(max(world.Main(m, false), storetest.Stop())) }

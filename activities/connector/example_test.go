package connector_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"accessbot/activities/connector"
	"accessbot/activities/connector/example"
)

// The example connector keeps a group as a file with a member on each line. Ensure changes the target only if needed, and returns
// nil once the target itself shows the wanted state.
func ExampleEnsure() {
	folder, err := os.MkdirTemp("", "groups")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.WriteFile(filepath.Join(folder, "editors"), nil, 0o600); err != nil {
		panic(err)
	}

	settings := example.Settings{Folder: folder}
	target, err := settings.Open()
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	ann := connector.Assignment{Account: "ann", Object: "editors"}
	fmt.Println("grant:", connector.Ensure(ctx, target, ann, true))
	fmt.Println(target.Read(ctx, ann))
	fmt.Println("revoke:", connector.Ensure(ctx, target, ann, false))
	fmt.Println(target.Read(ctx, ann))

	missing := connector.Assignment{Account: "ann", Object: "owners"}
	fmt.Println("missing object:", connector.ClassOf(connector.Ensure(ctx, target, missing, true)) == connector.ClassGone)
	// Output:
	// grant: <nil>
	// held <nil>
	// revoke: <nil>
	// not held <nil>
	// missing object: true
}

package program

import "fmt"

// removedSettings are environment variables that no longer exist, and what replaced them.
var removedSettings = []struct{ name, now string }{
	{"REMIND_AFTER", "set remind_after in the defaults of the policy file"},
	{"ESCALATE_AFTER", "set escalate_after in the defaults of the policy file"},
	{"EXPIRE_AFTER", "set expire_after in the defaults of the policy file"},
	{"MAX_DAYS", "set max_days in the defaults of the policy file"},
	{"BIND_BY_EMAIL", "set MATCH_SLACK_BY_EMAIL"},
	{"DRIFT_EVERY", "set COMPARE_EVERY"},
}

// checkRemoved returns an error for each removed setting that is still set. A program must not start with a setting that has no
// effect.
func checkRemoved(environ Environment) (problems []error) {
	for _, removed := range removedSettings {
		if environ[removed.name] != "" {
			problems = append(problems, fmt.Errorf("%s: no longer a setting: %s instead, and remove %[1]s", removed.name, removed.now))
		}
	}
	return problems
}

package policy

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// Subject is what a condition can use: who requests what, for how long, and why.
type Subject struct {
	Requester   Requester
	Application Application
	Entitlement Entitlement
	Duration    time.Duration // of temporary access; see Forever
	Purpose     string        // key of the reason
}

// Forever is the duration of permanent access: longer than any other.
const Forever = time.Duration(math.MaxInt64)

// Requester is the person who gets the access.
type Requester struct {
	Email         string `cel:"email"`
	Name          string `cel:"name"`
	JobTitle      string `cel:"job_title"` // empty: none
	Department    string `cel:"department"`
	Manager       string `cel:"manager"` // e-mail; empty: none
	Administrator bool   `cel:"administrator"`
}

// Application is the requested system.
type Application struct {
	Slug      string `cel:"slug"`
	Name      string `cel:"name"`
	Connector string `cel:"connector"`
}

// Entitlement is what is requested in it.
type Entitlement struct {
	Key  string `cel:"key"`
	Name string `cel:"name"`
	Kind string `cel:"kind"`
	Risk string `cel:"risk"` // low, medium or high
}

// costLimit bounds the evaluation of a condition to some milliseconds.
const costLimit = 100_000

// environment is the language of conditions. It is typed, so an unknown name is an error when the file is read, not when a
// request is submitted.
var environment = func() *cel.Env {
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[Requester](), reflect.TypeFor[Application](), reflect.TypeFor[Entitlement](),
			ext.ParseStructTags(true)),
		ext.Strings(),
		cel.Variable("requester", cel.ObjectType("policy.Requester")),
		cel.Variable("application", cel.ObjectType("policy.Application")),
		cel.Variable("entitlement", cel.ObjectType("policy.Entitlement")),
		cel.Variable("risk", cel.StringType),
		cel.Variable("duration", cel.DurationType),
		cel.Variable("days", cel.IntType),
		cel.Variable("permanent", cel.BoolType),
		cel.Variable("purpose", cel.StringType),
	)
	if err != nil {
		panic(err) // it is part of the program
	}
	return env
}()

// condition is a compiled condition. The zero value always holds.
type condition struct{ program cel.Program }

func (c condition) holds(about Subject) (bool, error) {
	if c.program == nil {
		return true, nil
	}
	days := int64(math.MaxInt64)
	if about.Duration != Forever {
		days = int64((about.Duration + 24*time.Hour - 1) / (24 * time.Hour))
	}
	result, _, err := c.program.Eval(map[string]any{
		"requester":   about.Requester,
		"application": about.Application,
		"entitlement": about.Entitlement,
		"risk":        about.Entitlement.Risk,
		"duration":    about.Duration,
		"days":        days,
		"permanent":   about.Duration == Forever,
		"purpose":     about.Purpose,
	})
	if err != nil {
		return false, err
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the condition is %v, not true or false", result.Value())
	}
	return holds, nil
}

// mistake is a mistake in an expression. Lines and columns count from 0.
type mistake struct {
	line, column int
	text         string
}

func compile(expression string) (condition, []mistake) {
	ast, issues := environment.Compile(expression)
	if issues.Err() != nil {
		var mistakes []mistake
		for _, e := range issues.Errors() {
			mistakes = append(mistakes, mistake{e.Location.Line() - 1, e.Location.Column(), e.Message})
		}
		return condition{}, mistakes
	}
	if ast.OutputType() != cel.BoolType {
		text := fmt.Sprintf("this is a %s: a condition is true or false, such as risk == \"high\"", ast.OutputType())
		return condition{}, []mistake{{text: text}}
	}
	program, err := environment.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return condition{}, []mistake{{text: err.Error()}}
	}
	return condition{program}, nil
}

package main

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"accessbot/schema"
)

// schemaErrors are the exported errors of schema that can reach a user.
var schemaErrors = map[string]error{
	"ErrNotFound":       schema.ErrNotFound,
	"ErrNotOpen":        schema.ErrNotOpen,
	"ErrDecided":        schema.ErrDecided,
	"ErrWithdrawn":      schema.ErrWithdrawn,
	"ErrOwnRequest":     schema.ErrOwnRequest,
	"ErrNotActive":      schema.ErrNotActive,
	"ErrNotAllowed":     schema.ErrNotAllowed,
	"ErrTermsChanged":   schema.ErrTermsChanged,
	"ErrEndPassed":      schema.ErrEndPassed,
	"ErrWrongKind":      schema.ErrWrongKind,
	"ErrTooMany":        schema.ErrTooMany,
	"ErrNotOffered":     schema.ErrNotOffered,
	"ErrNothingChosen":  schema.ErrNothingChosen,
	"ErrNoSuchReason":   schema.ErrNoSuchReason,
	"ErrNotEvaluated":   schema.ErrNotEvaluated,
	"ErrNotYours":       schema.ErrNotYours,
	"ErrNotBound":       schema.ErrNotBound,
	"ErrNotMember":      schema.ErrNotMember,
	"ErrNotInDirectory": schema.ErrNotInDirectory,
	"ErrNoEmail":        schema.ErrNoEmail,
	"ErrNotConfirmed":   schema.ErrNotConfirmed,
	"ErrOtherAccount":   schema.ErrOtherAccount,
	"ErrBoundBefore":    schema.ErrBoundBefore,
	"ErrNotASCII":       schema.ErrNotASCII,
	"ErrNotNamed":       schema.ErrNotNamed,
	"NoLongerOffered": &schema.NoLongerOffered{
		Names: []string{"x"},
	},
	"TooLong":        &schema.TooLong{},
	"CoveredAlready": &schema.CoveredAlready{},
	"NoteNeeded":     &schema.NoteNeeded{},
	"OverQuota":      &schema.OverQuota{Open: 1},
}

// operatorErrors are its exported errors that no user causes, and why.
var operatorErrors = map[string]string{
	"ErrStateBackwards": "only the worker moves states",
	"ErrNoProof":        "only the worker provisions",
	"ErrNoInstance":     "operator commands",
	"ErrOldDatabase":    "migrate",
	"ErrAddressInUse":   "import",
	"ErrBusy":           "the worker's slots and locks",
	"ErrUnclear":        "a failure, which has its own text for every subject: see explain",
}

func TestRefusals(t *testing.T) {
	t.Run("every error of schema that can reach a user has a text", func(t *testing.T) {
		var listed []string
		for name, err := range schemaErrors {
			listed = append(listed, name)
			said := 0
			for about := anything; about <= requesting; about++ {
				if r, ok := refusalOf(about, errors.Join(err, errors.New("not audited"))); ok && r.text != "" {
					said++
				}
			}
			require.NotZero(t, said, name)
		}
		require.ElementsMatch(t, exportedErrors(t), slices.Concat(listed, slices.Collect(maps.Keys(operatorErrors))),
			"a new error has a text in refusals and a line above, or never reaches a user")
	})

	t.Run("refusal of who the user is means the same for every subject", func(t *testing.T) {
		for about := anything; about <= requesting; about++ {
			r, ok := refusalOf(about, &refused{err: schema.ErrNotActive})
			require.True(t, ok)
			require.Contains(t, r.text, "You aren't active in the directory")
		}
	})

	t.Run("texts say what to read, and only those about the user have placeholders", func(t *testing.T) {
		for about, all := range refusals {
			for _, r := range all {
				require.Equal(t, about == anything && strings.Contains(r.text, "{"), strings.ContainsAny(r.text, "{}"), r.text)
				require.Equal(t, about == requesting && r.field != "", r.field != "", r.text)
				require.NotEmpty(t, r.errs, r.text)
			}
		}
	})
}

// exportedErrors returns the names of the exported errors that schema declares: variables, and types with a method Error.
func exportedErrors(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("../schema/*.go")
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if values, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
						for _, name := range values.Names {
							if strings.HasPrefix(name.Name, "Err") {
								names = append(names, name.Name)
							}
						}
					}
				}
			case *ast.FuncDecl:
				if d.Name.Name != "Error" || d.Recv == nil {
					continue
				}
				receiver := d.Recv.List[0].Type
				if pointer, ok := receiver.(*ast.StarExpr); ok {
					receiver = pointer.X
				}
				if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

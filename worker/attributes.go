package main

import (
	"context"
	"log/slog"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"accessbot/workflows"
)

// registerAttributes registers the search attributes that the namespace lacks. If the worker is not allowed to, runs start
// without them: they only help to find runs.
func registerAttributes(ctx context.Context, temporal client.Client, namespace string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	operator := temporal.OperatorService()
	known, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		log.Warn("search attributes not read, register them by hand", "error", err)
		return
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range map[string]enums.IndexedValueType{
		workflows.AccessState.GetName():       enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.AccessRequester.GetName():   enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.AccessApplication.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		workflows.AccessApprover.GetName():    enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		workflows.AccessUntil.GetName():       enums.INDEXED_VALUE_TYPE_DATETIME,
	} {
		if _, ok := known.CustomAttributes[name]; !ok {
			missing[name] = kind
		}
	}
	if len(missing) == 0 {
		return
	}
	_, err = operator.AddSearchAttributes(
		ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing},
	)
	if err != nil {
		log.Warn("search attributes not registered, runs start without them", "missing", missing, "error", err)
		return
	}
	log.Info("search attributes registered", "namespace", namespace, "count", len(missing))
}

package main

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"accessbot/schema"
	"accessbot/slackapp/views"
)

// seenBefore reports whether an event was already handled: Slack resends events. If that is not known, it is handled again.
func (a *app) seenBefore(ctx context.Context, eventID string) bool {
	isNew, err := schema.NewEvent(ctx, a.db, eventID)
	if err != nil {
		a.log.Error("check event failed, it may be handled twice", "event", eventID, "error", err)
		return false
	}
	return !isNew
}

// homeOpened publishes the Home tab for the user who opened it.
func (a *app) homeOpened(ctx context.Context, userID string) {
	person, err := a.recheckUser(ctx, userID)
	if err != nil {
		a.publish(ctx, userID, a.homeRefused(ctx, err))
		return
	}
	a.drawHome(ctx, userID, person)
}

// homeKey orders the drawings of one Home tab: the newest wins.
func homeKey(userID string) string { return "home " + userID }

// publishHome draws a person's Home tab again after their action.
func (a *app) publishHome(userID string, person schema.Person) {
	if a.jobs.waits(homeKey(userID)) {
		return // a drawing that has not started will show this too
	}
	a.also(userID, homeKey(userID), func(ctx context.Context) { a.drawHome(ctx, userID, person) })
}

func (a *app) homeRefused(ctx context.Context, err error) slack.HomeTabViewRequest {
	text := a.explain(ctx, anything, err)
	if text == tryAgain {
		return views.HomeAway()
	}
	return views.HomeRefused(text)
}

// drawHome draws a person's Home tab: in full, or small if Slack refuses that.
func (a *app) drawHome(ctx context.Context, userID string, person schema.Person) {
	h := views.Home{Person: person, TimeZone: a.zoneOf(ctx, person, userID), WorkspaceURL: a.home.url}
	var err error
	if h.Waiting, h.WaitingTotal, err = schema.WaitingFor(ctx, a.db, person.ID, views.HomeLines, 0); err == nil {
		if h.Requests, h.RequestsTotal, err = schema.RequestsOf(ctx, a.db, person.ID, views.HomeLines, 0); err == nil {
			h.Access, h.AccessTotal, err = schema.AccessOf(ctx, a.db, person.ID, views.HomeLines, 0)
		}
	}
	if err == nil {
		err = a.readOffice(ctx, &h)
	}
	if err != nil {
		a.log.Error("read Home tab failed", "person", person.ID, "error", err)
		a.publish(ctx, userID, h.Small())
		return
	}
	a.publish(ctx, userID, h.View(), h.Small())
}

// publish publishes the first of these views that Slack accepts, or tells the user that their Home tab cannot be shown.
func (a *app) publish(ctx context.Context, userID string, home ...slack.HomeTabViewRequest) {
	for _, view := range home {
		_, err := a.slack.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: userID, View: view})
		if err == nil {
			return
		}
		a.log.Error("publish Home tab failed", "user", userID, "error", err, "where", problems(err))
		var answer slack.SlackErrorResponse
		if !errors.As(err, &answer) {
			break // the view is not the problem
		}
	}
	a.write(ctx, userID, homeNotShown)
}

// openList opens one of the Home tab's lists in full.
func (a *app) openList(_ context.Context, _ *click, list string) (outcome, error) {
	return outcome{opens: &opening{view: views.Loading("Access"), list: list}}, nil
}

// listBelow removes from a submitted modal's metadata the list below it, and returns that; nil: none.
func listBelow(ic *slack.InteractionCallback) *shownList {
	own, list := views.BelowOf(ic.View.PrivateMetadata)
	ic.View.PrivateMetadata = own
	if list == "" || ic.View.PreviousViewID == "" {
		return nil
	}
	return &shownList{ic.View.PreviousViewID, list}
}

// turnList shows another page of the list.
func (a *app) turnList(_ context.Context, c *click, list string) (outcome, error) {
	return outcome{list: &shownList{c.ic.View.ID, list}}, nil
}

func (a *app) showList(ctx context.Context, userID, viewID, value string) {
	view, err := a.list(ctx, userID, value)
	if err != nil {
		view = views.Notice("Access", a.explain(ctx, anything, err))
	}
	a.replace(ctx, userID, viewID, view)
}

func (a *app) list(ctx context.Context, userID, value string) (slack.ModalViewRequest, error) {
	person, err := a.who(ctx, userID)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	list, page, err := views.ParseListValue(value)
	if err != nil {
		return slack.ModalViewRequest{}, err
	}
	zone := a.zoneOf(ctx, person, userID)
	for {
		var view slack.ModalViewRequest
		var lines, total int
		offset := (page - 1) * views.ListLines
		if number, ok := views.ItemsOf(list); ok {
			return a.itemList(ctx, number, person, page, zone)
		}
		if holder, ok := views.HolderOf(list); ok {
			return a.holderList(ctx, holder, person, page, zone)
		}
		switch list {
		case views.ListWaiting:
			l, n, e := schema.WaitingFor(ctx, a.db, person.ID, views.ListLines, offset)
			view, lines, total, err = views.WaitingList(l, n, page, zone, a.home.url), len(l), n, e
		case views.ListTasks:
			l, n, e := schema.TasksFor(ctx, a.db, person.ID, views.ListLines, offset)
			view, lines, total, err = views.TaskList(l, n, page, zone), len(l), n, e
		case views.ListFindings:
			l, n, e := schema.FindingsFor(ctx, a.db, person.ID, views.ListLines, offset)
			view, lines, total, err = views.FindingList(l, n, page, zone), len(l), n, e
		case views.ListRequests:
			l, n, e := schema.RequestsOf(ctx, a.db, person.ID, views.ListLines, offset)
			view, lines, total, err = views.RequestList(l, n, page, zone, a.home.url), len(l), n, e
		default:
			l, n, e := schema.AccessOf(ctx, a.db, person.ID, views.ListLines, offset)
			view, lines, total, err = views.AccessList(l, n, page, zone), len(l), n, e
		}
		if err != nil || lines > 0 || page == 1 {
			return view, err
		}
		page = max(1, min(page-1, (total+views.ListLines-1)/views.ListLines)) // it has become shorter
		if total == 0 {
			page = 1
		}
	}
}

// itemList returns a page of a request's items, for its requester, submitter and approvers.
func (a *app) itemList(
	ctx context.Context,
	number int64,
	person schema.Person,
	page int,
	zone string,
) (slack.ModalViewRequest, error) {
	request, err := schema.RequestByID(ctx, a.db, number)
	if err != nil && !errors.Is(err, schema.ErrNotFound) {
		return slack.ModalViewRequest{}, err
	}
	if err == nil {
		if view, lines, _ := views.ItemList(request, person.ID, page, zone); lines > 0 {
			return view, nil
		}
	}
	return views.Notice("Access", "You can only see your own requests and those that you're an approver for."), nil
}

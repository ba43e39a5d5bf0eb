package slacksim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// User is a user of the workspace. With zero flags, they are an ordinary member.
type User struct {
	ID     string `json:"id"`      // U...; empty: derived from the e-mail address
	TeamID string `json:"team_id"` // empty: the workspace's own
	Email  string `json:"email"`

	EnterpriseID string `json:"enterprise_id,omitempty"` // empty: the workspace's own, if it has one

	Name string `json:"name"` // the real name
	TZ   string `json:"tz"`   // IANA name; empty: UTC

	Deleted          bool `json:"deleted,omitempty"`           // deactivated
	Bot              bool `json:"bot,omitempty"`               // is_bot
	Restricted       bool `json:"restricted,omitempty"`        // multi-channel guest
	UltraRestricted  bool `json:"ultra_restricted,omitempty"`  // single-channel guest
	Stranger         bool `json:"stranger,omitempty"`          // from another organization, by Slack Connect
	EmailUnconfirmed bool `json:"email_unconfirmed,omitempty"` // is_email_confirmed is false
	Invited          bool `json:"invited,omitempty"`           // is_invited_user: has not joined yet
	ConnectorBot     bool `json:"connector_bot,omitempty"`     // is_connector_bot
	WorkflowBot      bool `json:"workflow_bot,omitempty"`      // is_workflow_bot
}

// UserID returns the ID of a user who has none set: always the same for an e-mail address.
func UserID(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return "U" + base32.StdEncoding.EncodeToString(sum[:])[:10]
}

// UsersFromDirectory reads the people.csv of a directory and returns a user for each person whose status
// is not "left". The columns email and name are required; status, time_zone and slack_user_id are
// optional. An error names the file and the line.
func UsersFromDirectory(path string) ([]User, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the directory's people: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header line of %s: %w", path, err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"email", "name"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("%s: the header line has no column %q", path, name)
		}
	}
	var users []User
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return users, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		cell := func(name string) string {
			if i, ok := column[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		if cell("status") == "left" {
			continue
		}
		users = append(users, User{ID: cell("slack_user_id"), Email: cell("email"), Name: cell("name"), TZ: cell("time_zone")})
	}
}

// complete fills in optional properties, and checks the others.
func (u *User) complete(team, enterprise string) error {
	if u.ID == "" && u.Email == "" {
		return fmt.Errorf("a user needs an id or an e-mail")
	}
	if u.ID == "" {
		u.ID = UserID(u.Email)
	}
	if u.TeamID == "" {
		u.TeamID = team
	}
	if u.EnterpriseID == "" && u.TeamID == team && !u.Stranger {
		u.EnterpriseID = enterprise
	}
	if u.Name == "" {
		u.Name = u.handle()
	}
	if u.TZ == "" {
		u.TZ = "UTC"
	}
	if _, err := time.LoadLocation(u.TZ); err != nil {
		return fmt.Errorf("time zone of %s: %w", u.ID, err)
	}
	return nil
}

// handle returns the short name: the part of the e-mail address before the @.
func (u *User) handle() string {
	if name, _, ok := strings.Cut(u.Email, "@"); ok {
		return strings.ToLower(name)
	}
	return strings.ToLower(u.ID)
}

// profile returns the user as users.info does.
func (u *User) profile() object {
	zone, err := time.LoadLocation(u.TZ)
	if err != nil {
		zone = time.UTC
	}
	abbreviation, offset := time.Now().In(zone).Zone()
	profile := object{
		"real_name": u.Name, "real_name_normalized": u.Name, "display_name": u.handle(),
		"display_name_normalized": u.handle(), "team": u.TeamID, "fields": object{}, "image_48": "",
	}
	o := object{
		"id": u.ID, "team_id": u.TeamID, "name": u.handle(), "real_name": u.Name, "deleted": u.Deleted,
		"profile": profile, "is_bot": u.Bot, "is_restricted": u.Restricted, "is_ultra_restricted": u.UltraRestricted,
		"is_app_user": false, "updated": 1, "is_admin": false, "is_owner": false, "is_primary_owner": false,
		"is_email_confirmed": u.Email != "" && !u.EmailUnconfirmed && !u.Bot,
	}
	if u.EnterpriseID != "" {
		o["enterprise_user"] = object{"id": u.ID, "enterprise_id": u.EnterpriseID, "teams": []string{u.TeamID}}
	}
	if u.Stranger {
		o["is_stranger"] = true
	}
	for flag, set := range map[string]bool{
		"is_invited_user": u.Invited, "is_connector_bot": u.ConnectorBot, "is_workflow_bot": u.WorkflowBot,
	} {
		if set {
			o[flag] = true
		}
	}
	if !u.Bot && u.Email != "" {
		profile["email"] = u.Email
	}
	if !u.Deleted {
		o["tz"], o["tz_label"], o["tz_offset"] = u.TZ, abbreviation, offset
	}
	return o
}

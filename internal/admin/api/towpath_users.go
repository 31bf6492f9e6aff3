package api

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

func (a *API) users(ctx context.Context, _ identity.Principal, _ struct{}) ([]UserInfo, error) {
	users, err := a.db.Users(ctx)
	if err != nil {
		return nil, err
	}
	out := []UserInfo{}
	for _, u := range users {
		one, err := a.userInfoOf(ctx, u)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (a *API) userInfoOf(ctx context.Context, u database.User) (UserInfo, error) {
	sessions, err := a.db.SessionsOf(ctx, u.ID)
	if err != nil {
		return UserInfo{}, err
	}
	out := UserInfo{ID: u.ID, Username: u.Username, Name: u.Name, Role: string(identity.RoleOf(u.Roles)), Disabled: u.Disabled,
		CreatedMs: unixMilli(u.Created), Sessions: len(sessions)}
	for _, s := range sessions {
		out.LastSeenMs = max(out.LastSeenMs, unixMilli(s.LastSeen))
	}
	return out, nil
}

type newUserRequest struct{ NewUser }

// addUser adds a user who has to change the password at the first log-in. Who
// cannot get a password is taken back.
func (a *API) addUser(ctx context.Context, p identity.Principal, req newUserRequest) (UserInfo, error) {
	by := actor(callerOf(ctx), p)
	u := database.User{Username: strings.TrimSpace(req.Username), Name: cmp.Or(strings.TrimSpace(req.Name), strings.TrimSpace(req.Username)), Roles: req.Role}
	err := checkUser(u.Username, u.Name, req.Role)
	if err == nil {
		err = checkPassword(req.Password)
	}
	if err == nil {
		u.ID, err = a.db.InsertUser(ctx, by, u)
	}
	if err == nil {
		if err = a.identity.SetPassword(ctx, by, u.ID, req.Password, true); err != nil {
			if undo := a.db.DeleteUser(context.WithoutCancel(ctx), by, u.ID); undo != nil {
				a.log.Error("user without a password not deleted", "user", u.Username, "error", undo)
			}
		}
	}
	if err != nil {
		return UserInfo{}, a.audit(ctx, p, database.AuditRecord{Action: "user.insert", Kind: "user", Target: u.Username}, userFault(err))
	}
	return a.readUserInfo(ctx, u.ID)
}

func (a *API) readUserInfo(ctx context.Context, id int64) (UserInfo, error) {
	u, err := a.db.User(ctx, id)
	if err != nil {
		return UserInfo{}, orNotFound(err, userWord)
	}
	return a.userInfoOf(ctx, u)
}

type changeUserRequest struct {
	ID int64 `path:"id" json:"-"`
	UserChange
}

func (a *API) changeUser(ctx context.Context, p identity.Principal, req changeUserRequest) (UserInfo, error) {
	u, err := a.db.User(ctx, req.ID)
	if err != nil {
		return UserInfo{}, orNotFound(err, userWord)
	}
	if err := a.applyChange(ctx, p, u, req.UserChange); err != nil {
		return UserInfo{}, a.audit(ctx, p, database.AuditRecord{Action: "user.update", Kind: "user", TargetID: u.ID, Target: u.Username}, userFault(err))
	}
	return a.readUserInfo(ctx, u.ID)
}

func (a *API) applyChange(ctx context.Context, p identity.Principal, u database.User, c UserChange) error {
	by := actor(callerOf(ctx), p)
	changed := u
	if c.Name != nil {
		changed.Name = strings.TrimSpace(*c.Name)
	}
	if c.Role != nil && identity.RoleOf(u.Roles) != identity.Role(*c.Role) {
		changed.Roles = *c.Role
	}
	if c.Disabled != nil {
		changed.Disabled = *c.Disabled
	}
	role := string(identity.RoleOf(changed.Roles))
	if c.Role != nil {
		role = *c.Role
	}
	if err := checkUser(u.Username, changed.Name, role); err != nil {
		return err
	}
	if c.Password != nil {
		if err := checkPassword(*c.Password); err != nil {
			return err
		}
	}
	if changed != u {
		if err := a.db.UpdateUser(ctx, by, changed); err != nil {
			return err
		}
	}
	if c.Password != nil {
		return a.identity.SetPassword(ctx, by, u.ID, *c.Password, true)
	}
	return nil
}

// checkUser refuses what cannot be a user, by field.
func checkUser(username, name, role string) error {
	wrong := map[string]string{}
	if username == "" || checkText("username", username) != nil {
		wrong["username"] = "one line of 1 to 255 characters"
	}
	if checkText("name", name) != nil {
		wrong["name"] = "one line of at most 255 characters"
	}
	switch identity.Role(role) {
	case identity.RoleViewer, identity.RoleOperator, identity.RoleAdmin:
	default:
		wrong["role"] = "viewer, operator or admin"
	}
	if len(wrong) == 0 {
		return nil
	}
	f := fail(reasonInvalid, text{"The user is not complete", "用户信息不完整或不正确"})
	f.fields = wrong
	return f
}

// leastPassword is how many characters a password has at least, as in Canal.
const leastPassword = 5

func checkPassword(password string) error {
	if len([]rune(password)) >= leastPassword {
		return nil
	}
	f := fail(reasonInvalid, text{"The password needs at least %d characters", "密码至少 %d 位"}, leastPassword)
	f.fields = map[string]string{"password": "too short"}
	return f
}

// userFault makes a failure of an error of the database or of the identity.
func userFault(err error) error {
	switch {
	case errors.Is(err, database.ErrDuplicate):
		f := fail(reasonConflict, text{"A user of this name exists already", "用户名已存在"})
		f.fields = map[string]string{"username": "taken"}
		return f
	case errors.Is(err, database.ErrLastAdmin):
		return fail(reasonConflict, text{"The last administrator who can log in cannot be removed", "不能移除最后一个可登录的管理员"}).
			withRemedy(text{"make another user an administrator first", "请先将其他用户设为管理员"})
	case errors.Is(err, identity.ErrTooShort):
		return checkPassword("")
	case errors.Is(err, identity.ErrSame):
		return fail(reasonInvalid, text{"The password must not be the default password", "不能使用默认密码"})
	}
	return orNotFound(err, userWord)
}

func (a *API) deleteUser(ctx context.Context, p identity.Principal, req idRequest) (string, error) {
	u, err := a.db.User(ctx, req.ID)
	if err != nil {
		return "", orNotFound(err, userWord)
	}
	if err := a.db.DeleteUser(ctx, actor(callerOf(ctx), p), req.ID); err != nil {
		return "", a.audit(ctx, p, database.AuditRecord{Action: "user.delete", Kind: "user", TargetID: u.ID, Target: u.Username}, userFault(err))
	}
	return successText, nil
}

// revokeSessions ends the sessions of a user; of one's own the present one stays.
func (a *API) revokeSessions(ctx context.Context, p identity.Principal, req idRequest) (string, error) {
	u, err := a.db.User(ctx, req.ID)
	if err != nil {
		return "", orNotFound(err, userWord)
	}
	keep := ""
	if u.ID == p.User.ID {
		keep = p.TokenHash
	}
	err = a.db.DeleteSessionsOf(ctx, u.ID, keep)
	return successText, a.audit(ctx, p, database.AuditRecord{Action: "user.revoke", Kind: "user", TargetID: u.ID, Target: u.Username}, err)
}

type auditRequest struct {
	Username string `query:"username" json:"-"`
	Action   string `query:"action" json:"-"`
	Kind     string `query:"kind" json:"-"`
	Target   string `query:"target" json:"-" doc:"a part of the name"`
	FromMs   int64  `query:"fromMs" json:"-"`
	ToMs     int64  `query:"toMs" json:"-"`
	Before   int64  `query:"before" json:"-" doc:"only records with a smaller id"`
	Limit    int    `query:"limit" json:"-" doc:"100 by default, at most 1000"`
}

func (a *API) auditTrail(ctx context.Context, _ identity.Principal, req auditRequest) ([]AuditItem, error) {
	records, err := a.db.AuditTrail(ctx, database.AuditQuery{Username: req.Username, Action: req.Action, Kind: req.Kind, Target: req.Target,
		From: fromMilli(req.FromMs), To: fromMilli(req.ToMs), Before: req.Before, Limit: req.Limit})
	if err != nil {
		return nil, err
	}
	out := []AuditItem{}
	for _, r := range records {
		out = append(out, AuditItem{ID: r.ID, AtMs: unixMilli(r.At), Username: r.Username, Address: r.Address, Action: r.Action, Kind: r.Kind,
			TargetID: r.TargetID, Target: r.Target, OK: r.OK, Detail: r.Detail})
	}
	return out, nil
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// magicEncrypted is how a file of MySQL with binlog_encryption begins.
const magicEncrypted = "\xfdbin"

// folder is a place with binlog files: those of one server, numbered in the order in
// which it wrote them. It is for one goroutine.
type folder struct {
	dir  string
	name string // of the files without their number; "" until it is known

	serverID uint32 // that the files must be of; 0 for any
	maxEvent int    // bytes
}

// logFile is a file of a folder.
type logFile struct {
	name   string
	number uint64
	size   int64
}

// splitName takes the name of a binlog file apart. Canal takes mysql-bin alone.
func splitName(file string) (base string, number uint64, ok bool) {
	base, digits, ok := cutLast(file, ".")
	if !ok || base == "" {
		return "", 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 63)
	return base, number, err == nil && digits[0] != '+'
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

// fileError is what is wrong with a folder or one of its files. It can be mended
// while the instance runs, so reading is tried again.
func fileError(remedy, format string, args ...any) error {
	return &configError{fmt.Sprintf(format, args...), remedy}
}

const (
	remedyFolder  = "put the binlog files of one server into the folder, or correct towpath.instance.localBinlog.dir"
	remedyMissing = "put the missing file into the folder"
	remedyDamaged = "copy the file again from the server that wrote it"
)

// list returns the files, oldest first. There is at least one.
func (d *folder) list() ([]logFile, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, fileError(remedyFolder, "the folder with binlog files cannot be read: %v", err)
	}
	series := map[string][]logFile{}
	for _, e := range entries {
		base, number, ok := splitName(e.Name())
		if !ok || d.name != "" && base != d.name {
			continue
		}
		info, err := os.Stat(filepath.Join(d.dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue // it has been removed, or is none
		}
		series[base] = append(series[base], logFile{e.Name(), number, info.Size()})
	}
	if d.name == "" {
		if err := d.choose(series); err != nil {
			return nil, err
		}
	}
	files := series[d.name]
	if len(files) == 0 {
		return nil, fileError(remedyFolder, "there are no binlog files in %s", d.dir)
	}
	slices.SortFunc(files, func(a, b logFile) int {
		if a.number != b.number {
			if a.number < b.number {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	if last := len(files) - 1; last > 0 && !begun(filepath.Join(d.dir, files[last].name)) {
		files = files[:last]
	}
	return files, nil
}

// begun reports whether a file has its first event. The newest one may be just being
// made, and then there is nothing to be read in it. Whatever else is wrong with it is
// told when it is opened.
func begun(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [len(binlog.Magic) + binlog.HeaderSize]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil {
		return !strings.HasPrefix(binlog.Magic, string(head[:min(n, len(binlog.Magic))]))
	}
	h, err := binlog.ParseHeader(head[len(binlog.Magic):])
	if err != nil || h.EventSize > maxDescription {
		return true
	}
	info, err := f.Stat()
	return err != nil || info.Size() >= int64(len(binlog.Magic))+int64(h.EventSize)
}

// choose finds the only series of binlog files. Other programs number files too
// (MariaDB's aria_log, for one), so it is their begin that counts.
func (d *folder) choose(series map[string][]logFile) error {
	var found []string
	for base, files := range series {
		if slices.ContainsFunc(files, func(f logFile) bool { return beginsLikeBinlog(filepath.Join(d.dir, f.name)) }) {
			found = append(found, base)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return fileError(remedyFolder, "there are no binlog files in %s", d.dir)
	case 1:
		d.name = found[0]
		return nil
	}
	return fileError("set towpath.instance.localBinlog.name to one of them",
		"there are several series of binlog files in %s: %s", d.dir, strings.Join(found, ", "))
}

func beginsLikeBinlog(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic, err := readMagic(f)
	return err == nil && (magic == binlog.Magic || magic == magicEncrypted)
}

func readMagic(r io.Reader) (string, error) {
	var b [len(binlog.Magic)]byte
	_, err := io.ReadFull(r, b[:])
	return string(b[:]), err
}

// after returns the file that follows one, nil when it is not there yet. A number
// that is missing is an error: what is in it must not be left out.
func (d *folder) after(name string) (*logFile, error) {
	_, number, ok := splitName(name)
	if !ok {
		return nil, fmt.Errorf("%s has no number", name)
	}
	files, err := d.list()
	if err != nil {
		return nil, err
	}
	there := false
	for i := range files {
		switch f := &files[i]; {
		case f.number == number:
			there = true
		case f.number == number+1:
			return f, nil
		case f.number > number+1:
			return nil, fileError(remedyMissing, "the file after %s is missing, and %s is there", name, f.name)
		}
	}
	if !there {
		return nil, fileError(remedyMissing, "%s has been removed, and no later file is there", name)
	}
	return nil, nil
}

// open opens a file and reads its format description. The file stands anywhere.
func (d *folder) open(name string) (*os.File, opened, error) {
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return nil, opened{}, fileError(remedyMissing, "%v", err)
	}
	o, err := d.inspect(f, name)
	if err != nil {
		_ = f.Close()
		return nil, opened{}, err
	}
	return f, o, nil
}

// opened is what the begin of a file says.
type opened struct {
	header binlog.Header
	format binlog.FormatDescription
	event  []byte // the format description as it stands in the file
}

// begun tells whether two files begin alike: as the same file, at different times.
func (o *opened) begun(other *opened) bool {
	return o.header.Timestamp == other.header.Timestamp && o.header.ServerID == other.header.ServerID &&
		o.format.ServerVersion == other.format.ServerVersion
}

// flagRelayLog is LOG_EVENT_RELAY_LOG_F: the file is a relay log.
const flagRelayLog = 0x40

// maxDescription bounds a format description, in bytes.
const maxDescription = 1 << 16

func (d *folder) inspect(f *os.File, name string) (o opened, err error) {
	r := io.NewSectionReader(f, 0, maxDescription)
	magic, err := readMagic(r)
	switch {
	case err != nil:
		return o, fileError(remedyDamaged, "%s ends before its first event", name)
	case magic == magicEncrypted:
		return o, encrypted(name)
	case magic != binlog.Magic:
		return o, fileError(remedyFolder, "%s is no binlog file: it begins with %x", name, magic)
	}
	head := make([]byte, binlog.HeaderSize)
	if _, err = io.ReadFull(r, head); err == nil {
		o.header, err = binlog.ParseHeader(head)
	}
	if err == nil && (o.header.EventSize < binlog.HeaderSize || o.header.EventSize > maxDescription) {
		err = fmt.Errorf("it claims %d bytes", o.header.EventSize)
	}
	if err == nil {
		o.event = append(head, make([]byte, o.header.EventSize-binlog.HeaderSize)...)
		_, err = io.ReadFull(r, o.event[binlog.HeaderSize:])
	}
	if err == nil {
		o.format, err = binlog.ParseFormatDescription(o.event)
	}
	if err != nil {
		return o, fileError(remedyDamaged, "the first event of %s cannot be read: %v", name, err)
	}
	if o.header.Flags&flagRelayLog != 0 {
		return o, fileError("read the binlog of the source, or that of the replica, which it writes with log_replica_updates",
			"%s is a relay log: the places in it are not those of its events", name)
	}
	if d.serverID != 0 && o.header.ServerID != d.serverID {
		return o, fileError("remove files of other servers, or correct towpath.instance.localBinlog.serverId",
			"%s was written by the server with id %d, not by %d", name, o.header.ServerID, d.serverID)
	}
	return o, nil
}

func encrypted(name string) error {
	return fileError("read the server itself (remove towpath.instance.localBinlog.dir), or have mysqlbinlog --raw --read-from-remote-server copy its log without encryption",
		"%s is encrypted", name)
}

// facts are what the files tell of the server that wrote them.
func (o *opened) facts() mysql.Facts {
	f := mysql.Facts{
		Version: o.format.ServerVersion, Flavor: o.format.Flavor(), ServerID: o.header.ServerID,
		LogBin: true, BinlogFormat: "ROW", RowImage: "FULL", Checksum: o.format.Checksum,
	}
	if f.Flavor != binlog.FlavorMariaDB {
		f.GTIDMode = "ON" // where it is not, there are no GTIDs to ask for
	}
	return f
}

// LogFiles implements prober.
func (d *folder) LogFiles(context.Context) ([]mysql.LogFile, error) {
	files, err := d.list()
	all := make([]mysql.LogFile, len(files))
	for i, f := range files {
		all[i] = mysql.LogFile{Name: f.name, Size: f.size}
	}
	return all, err
}

// End implements prober: the last place between two transactions.
func (d *folder) End(ctx context.Context, _ bool) (binlog.Position, error) {
	files, err := d.list()
	if err != nil {
		return binlog.Position{}, err
	}
	var p binlog.Position
	for n := len(files) - 1; n >= 0; n-- {
		if p, _, err = d.scan(ctx, files[n].name, limit{}); err != nil || p.Offset > int64(len(binlog.Magic)) || p.GTIDSet != "" {
			break
		}
		// The newest file may not tell yet which transactions are before it.
	}
	return p, err
}

// fileTime implements prober.
func (d *folder) fileTime(_ context.Context, file string) (int64, error) {
	f, o, err := d.open(file)
	if err != nil {
		return 0, err
	}
	return int64(o.header.Timestamp) * 1000, f.Close()
}

// scan implements prober.
func (d *folder) scan(ctx context.Context, file string, l limit) (p binlog.Position, found bool, err error) {
	b := &borderFinder{file: file, limit: l}
	if err := d.each(ctx, file, b.event); err != nil {
		return p, false, fmt.Errorf("search %s: %w", file, err)
	}
	p, found = b.result()
	return p, found, nil
}

// each gives the events of a file to do, until that is done or there is no more.
func (d *folder) each(ctx context.Context, file string, do func([]byte) (done bool, err error)) error {
	f, _, err := d.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := binlog.NewFileReader(f)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		ev, err := r.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil // the file may still be growing
		case err != nil:
			return fileError(remedyDamaged, "%v", err)
		case ev.Header.Type == binlog.EventMariaStartEncryption:
			return encrypted(file)
		}
		if done, err := do(ev.Raw); done || err != nil {
			return err
		}
	}
}

// place finds the event that a position names: where it begins in its file. A
// position has 32 bits in the events themselves, so in a file of more than 4 GiB it
// may stand for a place further behind. ok is false when no event begins there.
func (d *folder) place(f *os.File, o *opened, offset int64) (at int64, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return 0, false
	}
	if offset <= int64(len(binlog.Magic)) {
		return int64(len(binlog.Magic)), true
	}
	for at = offset; at <= info.Size(); at += 1 << 32 {
		if at == info.Size() || d.eventAt(f, o, at, info.Size()) {
			return at, true
		}
	}
	return 0, false
}

// eventAt tells whether an event begins at a place. It may not be whole yet.
func (d *folder) eventAt(f *os.File, o *opened, at, size int64) bool {
	if size-at < binlog.HeaderSize {
		return true
	}
	head := make([]byte, binlog.HeaderSize)
	if _, err := f.ReadAt(head, at); err != nil {
		return false
	}
	h, err := binlog.ParseHeader(head)
	if err != nil || h.EventSize < binlog.HeaderSize || int64(h.EventSize) > int64(d.maxEvent) ||
		h.LogPos != 0 && h.LogPos != uint32(at+int64(h.EventSize)) {
		return false
	}
	if !o.format.Checksum || h.EventSize > maxVerified || int64(h.EventSize) > size-at {
		return true
	}
	ev := make([]byte, h.EventSize)
	_, err = f.ReadAt(ev, at)
	return err == nil && binlog.VerifyChecksum(ev) == nil
}

// maxVerified is how large an event may be, in bytes, for its checksum to be looked at
// before it is read in its turn.
const maxVerified = 16 << 20

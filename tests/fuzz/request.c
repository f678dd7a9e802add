/*
 * Fuzz target for the session: an input is a sequence of requests, which reach fs/ as the kernel would send them,
 * without a mount. What the kernel guarantees is kept (nodeids and handles that it was given, no FORGET or RELEASE of
 * what is in use); everything else, order, names, flags, sizes and offsets, is the input's. Each request must be
 * answered exactly once, when it is interrupted at the latest, and no answer may be longer than what was asked for.
 *
 * Not tried: /sig and /net, which would reach others on the machine, and connect=, for the same reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../fs/fs.h"
#include "check.h"

enum { NODES = 64, FILES = 32, PENDING = 32, PAYLOAD = 4096, PATIENCE_MS = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the kernel would know. */
struct node {
	uint64_t nodeid, lookups;
	uint32_t mode;
	unsigned used; /* open files and requests under way */
};

struct file {
	struct node *node;
	uint64_t fh;
	bool open, dir;
	unsigned used; /* requests under way */
};

struct pending {
	uint64_t unique; /* 0: free */
	uint32_t opcode, size;
	struct node *node;
	struct file *file;
};

static struct fs fs;
static struct node nodes[NODES];
static struct file files[FILES];
static struct pending pendings[PENDING];
static uint64_t last_unique;
static const char *const kinds[] = {"mq", "sem", "shm", "pipe", "sock", "bcast"};

/* --- the input --- */

static const uint8_t *at, *end;

static unsigned take(void)
{
	return at < end ? *at++ : 0;
}

static uint64_t take_number(void)
{
	static const uint64_t special[] = {0,	       1,     4096, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1,
					   UINT64_MAX, 131072};
	unsigned c = take();

	return c < 128 ? c : c < 192 ? (uint64_t)(c & 63) << 8 | take() : special[c % 8];
}

/* A name from the list, with facets from the list or as the input has them. */
static const char *take_name(void)
{
	static const char *const names[] = {"a", "b", "c", "", ".hidden", "\xff", "@", "README"};
	static const char *const facets[] = {"lines", "nul",	"drain",    "one",	   "n=2",	"prio=9",
					     "batch", "meta",	"idle=1ms", "timeout=1ms", "ctl",	"listen",
					     "addr",  "io",	"dgram",    "seqpacket",   "stream",	"value=2",
					     "hold",  "last=3", "size=100", "maxmsg=2",	   "msgsize=32"};
	static char name[2 * IPC_NAME_MAX];
	unsigned c = take(), count = c >> 3 & 3;
	size_t n = (size_t)snprintf(name, sizeof(name), "%s", names[c & 7]);

	for (unsigned i = 0; i < count; i++)
		n += (size_t)snprintf(name + n, sizeof(name) - n, "%c%s", i ? ',' : '@',
				      facets[take() % (sizeof(facets) / sizeof(facets[0]))]);
	if (c & 128)
		for (count = take(); count-- && n < sizeof(name) - 1 && at < end;)
			name[n++] = (char)take();
	name[n] = '\0';
	for (char *slash = name; (slash = strchr(slash, '/'));)
		*slash = '_';
	return !name[0] || strstr(name, "connect") ? "a" : name;
}

static struct node *take_node(mode_t type)
{
	unsigned first = take();

	for (unsigned i = 0; i < NODES; i++) {
		struct node *node = &nodes[(first + i) % NODES];

		if (node->nodeid && (!type || (node->mode & S_IFMT) == type))
			return node;
	}
	return type == S_IFDIR ? &nodes[0] : NULL;
}

static struct file *take_file(bool dir)
{
	unsigned first = take();

	for (unsigned i = 0; i < FILES; i++) {
		struct file *file = &files[(first + i) % FILES];

		if (file->open && file->dir == dir)
			return file;
	}
	return NULL;
}

/* --- answers --- */

static struct node *node_add(uint64_t nodeid, uint32_t mode)
{
	struct node *free = NULL;

	for (unsigned i = 0; i < NODES; i++) {
		if (nodes[i].nodeid == nodeid) {
			nodes[i].lookups++;
			return &nodes[i];
		}
		if (!nodes[i].nodeid && !free)
			free = &nodes[i];
	}
	CHECK(free);
	*free = (struct node){.nodeid = nodeid, .lookups = 1, .mode = mode};
	return free;
}

static void file_add(struct node *node, uint64_t fh, bool dir)
{
	for (unsigned i = 0; i < FILES; i++)
		if (!files[i].open) {
			files[i] = (struct file){.node = node, .fh = fh, .open = true, .dir = dir};
			node->used++;
			return;
		}
	CHECK(false);
}

static void answered(const struct pending *p, const struct fuse_out_header *out, const char *body)
{
	size_t len = out->len - sizeof(*out);
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	struct node *node;

	CHECK(out->error <= 0 && out->error > -1000);
	CHECK(out->error == 0 || len == 0);
	if (out->error)
		return;
	switch (p->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_CREATE:
		CHECK(len >= sizeof(entry));
		memcpy(&entry, body, sizeof(entry));
		CHECK(entry.nodeid);
		node = node_add(entry.nodeid, entry.attr.mode);
		if (p->opcode != FUSE_CREATE)
			break;
		CHECK(len == sizeof(entry) + sizeof(opened));
		memcpy(&opened, body + sizeof(entry), sizeof(opened));
		file_add(node, opened.fh, false);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		CHECK(len == sizeof(opened));
		memcpy(&opened, body, sizeof(opened));
		file_add(p->node, opened.fh, p->opcode == FUSE_OPENDIR);
		break;
	case FUSE_READ:
	case FUSE_READDIR:
		CHECK(len <= p->size);
		break;
	case FUSE_WRITE:
		CHECK(((const struct fuse_write_out *)(const void *)body)->size <= p->size);
		break;
	default:
		break;
	}
}

static ssize_t answer(int fd, struct iovec *iov, int count, void *unused)
{
	static char body[1 << 20] __attribute__((aligned(8)));
	struct fuse_out_header out;
	size_t n = 0;

	(void)fd;
	(void)unused;
	memcpy(&out, iov[0].iov_base, sizeof(out));
	CHECK(iov[0].iov_len == sizeof(out));
	for (int i = 1; i < count; i++) {
		CHECK(n + iov[i].iov_len <= sizeof(body));
		memcpy(body + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	CHECK(out.len == sizeof(out) + n);
	if (!out.unique) /* a notification */
		return out.len;
	for (unsigned i = 0; i < PENDING; i++) {
		struct pending p = pendings[i];

		if (p.unique != out.unique)
			continue;
		pendings[i].unique = 0;
		p.node->used--;
		if (p.file)
			p.file->used--;
		answered(&p, &out, body);
		return out.len;
	}
	CHECK(!"an answer to no request");
	return -1;
}

static ssize_t no_read(int fd, void *buf, size_t size, void *unused)
{
	(void)fd;
	(void)buf;
	(void)size;
	(void)unused;
	errno = EAGAIN;
	return -1;
}

/* --- requests --- */

/* Of exactly its size, so that a sanitizer sees a read behind it. */
static void request(uint32_t opcode, struct node *node, struct file *file, uint32_t asked, const void *arg,
		    size_t arg_size, const void *more, size_t more_size)
{
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + arg_size + more_size),
		.opcode = opcode,
		.nodeid = node->nodeid,
		.uid = getuid(),
		.gid = getgid(),
		.pid = (uint32_t)getpid(), /* nobody else's: a signal may come of it */
	};
	struct fuse_buf buf = {.size = in.len, .mem = malloc(in.len)};
	bool answers = opcode != FUSE_FORGET && opcode != FUSE_INTERRUPT;
	unsigned slot = 0;

	CHECK(buf.mem);
	if (answers) {
		while (slot < PENDING && pendings[slot].unique)
			slot++;
		if (slot == PENDING) {
			free(buf.mem);
			return;
		}
		node->used++;
		if (file)
			file->used++;
		pendings[slot] = (struct pending){
			.unique = last_unique + 2, .opcode = opcode, .size = asked, .node = node, .file = file};
	}
	in.unique = last_unique += 2;
	memcpy(buf.mem, &in, sizeof(in));
	if (arg_size)
		memcpy((char *)buf.mem + sizeof(in), arg, arg_size);
	if (more_size)
		memcpy((char *)buf.mem + sizeof(in) + arg_size, more, more_size);
	fuse_session_process_buf(fs.se, &buf);
	free(buf.mem);
}

#define REQUEST(opcode, node, file, asked, arg, more, more_size)                                                       \
	request(opcode, node, file, asked, &(arg), sizeof(arg), more, more_size)

/* Whether there is room for all that the requests under way, and one more, can bring. */
static bool have_room(void)
{
	unsigned free_nodes = 0, free_files = 0, busy = 1;

	for (unsigned i = 0; i < NODES; i++)
		free_nodes += !nodes[i].nodeid;
	for (unsigned i = 0; i < FILES; i++)
		free_files += !files[i].open;
	for (unsigned i = 0; i < PENDING; i++)
		busy += pendings[i].unique && !pendings[i].file;
	return free_nodes >= busy && free_files >= busy;
}

static void turn(int milliseconds)
{
	ipc_loop_turn(fs.loop, milliseconds);
}

static void interrupt(const struct pending *p)
{
	struct fuse_interrupt_in in = {.unique = p->unique};

	REQUEST(FUSE_INTERRUPT, &nodes[0], NULL, 0, in, NULL, 0);
}

static void forget(struct node *node)
{
	struct fuse_forget_in in = {.nlookup = node->lookups};

	if (node == &nodes[0] || node->used)
		return;
	REQUEST(FUSE_FORGET, node, NULL, 0, in, NULL, 0);
	node->nodeid = 0;
}

static void release(struct file *file)
{
	struct fuse_release_in in = {.fh = file->fh};
	struct node *node = file->node;

	if (file->used)
		return;
	file->open = false;
	REQUEST(file->dir ? FUSE_RELEASEDIR : FUSE_RELEASE, node, NULL, 0, in, NULL, 0);
	node->used--;
}

static uint32_t take_flags(void)
{
	static const uint32_t flags[] = {0,	   O_NONBLOCK,		O_EXCL, O_TRUNC, O_APPEND,
					 O_DIRECT, O_NONBLOCK | O_EXCL, O_SYNC};

	return take() % 3 | flags[take() % 8];
}

static void do_name(uint32_t opcode)
{
	struct node *dir = take_node(S_IFDIR);
	const char *name = take_name();
	static const mode_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFBLK};
	struct fuse_create_in create = {.flags = take_flags() | O_CREAT, .mode = S_IFREG | (take() << 1 & 0777)};
	struct fuse_mknod_in mknod = {.mode = types[take() % 4] | 0600};
	struct fuse_mkdir_in mkdir = {.mode = 0700};

	if (!have_room())
		return;
	/* The root has /sig and /net, and a LOOKUP there would be the way in. */
	if (opcode == FUSE_LOOKUP && dir == &nodes[0]) {
		static const char *const texts[] = {"status", "errors", "status@json", "README", "status@json,brief"};

		name = texts[(unsigned char)name[0] % 5];
	}
	size_t n = strlen(name) + 1;
	switch (opcode) {
	case FUSE_CREATE:
		REQUEST(opcode, dir, NULL, 0, create, name, n);
		break;
	case FUSE_MKNOD:
		REQUEST(opcode, dir, NULL, 0, mknod, name, n);
		break;
	case FUSE_MKDIR:
		REQUEST(opcode, dir, NULL, 0, mkdir, name, n);
		break;
	default: /* LOOKUP, UNLINK, RMDIR */
		request(opcode, dir, NULL, 0, NULL, 0, name, n);
	}
}

static void do_rename(void)
{
	struct node *from = take_node(S_IFDIR), *to = take_node(S_IFDIR);
	char names[4 * IPC_NAME_MAX];
	size_t n = (size_t)snprintf(names, sizeof(names) / 2, "%s", take_name()) + 1;
	struct fuse_rename2_in in = {.newdir = to->nodeid, .flags = take() % 5};

	n += (size_t)snprintf(names + n, sizeof(names) - n, "%s", take_name()) + 1;
	REQUEST(FUSE_RENAME2, from, NULL, 0, in, names, n);
}

static void do_open(void)
{
	struct node *node = take_node(S_IFREG);
	struct fuse_open_in in = {.flags = take_flags()};

	if (node && have_room())
		REQUEST(FUSE_OPEN, node, NULL, 0, in, NULL, 0);
}

static void do_opendir(void)
{
	struct fuse_open_in in = {0};

	if (have_room())
		REQUEST(FUSE_OPENDIR, take_node(S_IFDIR), NULL, 0, in, NULL, 0);
}

static void do_read(bool dir)
{
	struct file *file = take_file(dir);
	struct fuse_read_in in = {.flags = take() & 1 ? O_NONBLOCK : 0};

	if (!file)
		return;
	in.fh = file->fh;
	in.size = (uint32_t)(take_number() % 131072);
	in.offset = take_number() & INT64_MAX;
	REQUEST(dir ? FUSE_READDIR : FUSE_READ, file->node, file, in.size, in, NULL, 0);
}

static void do_write(void)
{
	static const char *const words[] = {"x", "a\nb\n", "1\n", "\n", "buffer=8K\n", "size=10\n", "3", "a\0b\0"};
	struct file *file = take_file(false);
	char data[PAYLOAD] = {0};
	size_t n = take();
	struct fuse_write_in in = {.flags = take() & 1 ? O_NONBLOCK : 0};

	if (!file)
		return;
	if (n & 1) {
		const char *word = words[n >> 1 & 7];

		n = strlen(word);
		memcpy(data, word, n);
	} else {
		n = n * n / 16 + 1;
		for (size_t i = 0; i < n; i++)
			data[i] = i < 32 ? (char)take() : data[i % 32];
	}
	in.fh = file->fh;
	in.offset = take_number() & 0xffffff; /* a file in /dev/shm can become that long */
	in.size = (uint32_t)n;
	REQUEST(FUSE_WRITE, file->node, file, in.size, in, data, n);
}

static void do_file(uint32_t opcode)
{
	struct file *file = take_file(false);
	struct fuse_flush_in flush = {0};
	struct fuse_poll_in poll = {.flags = take() & 1 ? FUSE_POLL_SCHEDULE_NOTIFY : 0, .events = POLLIN | POLLOUT};
	struct fuse_lk_in lk = {.lk = {.type = F_WRLCK}};

	if (!file)
		return;
	flush.fh = poll.fh = lk.fh = file->fh;
	poll.kh = file->fh;
	if (opcode == FUSE_FLUSH)
		REQUEST(opcode, file->node, file, 0, flush, NULL, 0);
	else if (opcode == FUSE_POLL)
		REQUEST(opcode, file->node, file, 0, poll, NULL, 0);
	else
		REQUEST(opcode, file->node, file, 0, lk, NULL, 0);
}

static void do_attr(bool set)
{
	struct file *file = take() & 1 ? take_file(false) : NULL;
	struct node *node = file ? file->node : take_node(0);
	struct fuse_getattr_in get = {.getattr_flags = file ? FUSE_GETATTR_FH : 0, .fh = file ? file->fh : 0};
	struct fuse_setattr_in in = {.valid = (take() & 0x3f) | (file ? FATTR_FH : 0), .fh = get.fh};

	if (!node)
		return;
	in.mode = (node->mode & S_IFMT) | (take() << 1 & 0777);
	in.uid = getuid();
	in.gid = getgid();
	in.size = take_number() & 0xffffff;
	if (set)
		REQUEST(FUSE_SETATTR, node, file, 0, in, NULL, 0);
	else
		REQUEST(FUSE_GETATTR, node, file, 0, get, NULL, 0);
}

static void step(void)
{
	struct node *node;
	struct file *file;

	switch (take() % 24) {
	case 0:
	case 1:
		do_name(FUSE_LOOKUP);
		break;
	case 2:
	case 3:
		do_name(FUSE_CREATE);
		break;
	case 4:
		do_name(FUSE_MKNOD);
		break;
	case 5:
		do_name(FUSE_UNLINK);
		break;
	case 6:
		do_name(take() & 1 ? FUSE_MKDIR : FUSE_RMDIR);
		break;
	case 7:
		do_rename();
		break;
	case 8:
	case 9:
		do_open();
		break;
	case 10:
	case 11:
		do_read(false);
		break;
	case 12:
	case 13:
		do_write();
		break;
	case 14:
		do_file(FUSE_FLUSH);
		break;
	case 15:
		do_file(FUSE_POLL);
		break;
	case 16:
		do_file(take() & 1 ? FUSE_SETLK : FUSE_GETLK);
		break;
	case 17:
		do_attr(take() & 1);
		break;
	case 18:
		do_opendir();
		break;
	case 19:
		do_read(true);
		break;
	case 20:
		if ((file = take_file(take() & 1)))
			release(file);
		break;
	case 21:
		if ((node = take_node(0)))
			forget(node);
		break;
	case 22: {
		const struct pending *p = &pendings[take() % PENDING];

		if (p->unique)
			interrupt(p);
		break;
	}
	default:
		node = take_node(S_IFLNK);
		if (node)
			request(FUSE_READLINK, node, NULL, 0, NULL, 0, NULL, 0);
		turn(0);
	}
}

/* --- the session --- */

static void session_start(void)
{
	static char prefix[64];
	char *argv[] = {"request", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	const struct fuse_custom_io io = {.writev = answer, .read = no_read};
	struct fuse_init_in init = {.major = 7, .minor = 38, .max_readahead = 131072, .flags = FUSE_ATOMIC_O_TRUNC};

	signal(SIGPIPE, SIG_IGN);
	snprintf(prefix, sizeof(prefix), "ipcfs-fuzz-%d-", (int)getpid());
	fs.ready_fd = -1;
	fs.opt.mountpoint = "/nonexistent";
	fs.opt.ipc.prefix = prefix;
	fs.opt.ipc.quota[IPC_QUOTA_HANDLES] = 12;
	fs.opt.ipc.quota[IPC_QUOTA_PARKED] = 6;
	fs.opt.ipc.quota[IPC_QUOTA_CHANNELS] = 6;
	fs.opt.ipc.quota[IPC_QUOTA_BYTES] = 4 << 20;
	ipc_list_init(&fs.files);
	ipc_list_init(&fs.nodes);
	ipc_list_init(&fs.deferred);
	ipc_list_init(&fs.dirs);
	fs.loop = ipc_loop_new();
	CHECK(fs.loop);
	fs_turns_start(&fs.turns, fs.loop);
	fs_steps_start(&fs.steps, &fs.turns);
	fs_kept_start(&fs.kept);
	fs_appends_start(&fs);
	fs_refusals_start(&fs.refusals);
	fs_listers_start(&fs.listers);
	fs_crowds_start(&fs.crowds, fs.loop);
	fs.ipc = ipc_new(fs.loop, &fs.opt.ipc, ipc_kinds);
	CHECK(fs.ipc && fs_inode_init(&fs) == 0);
	fs.se = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), &fs);
	CHECK(fs.se && fuse_session_custom_io(fs.se, &io, open("/dev/null", O_RDWR | O_CLOEXEC)) == 0);
	fuse_opt_free_args(&args);
	nodes[0] = (struct node){.nodeid = FUSE_ROOT_ID, .lookups = 1, .mode = S_IFDIR};
	REQUEST(FUSE_INIT, &nodes[0], NULL, 0, init, NULL, 0);
}

static bool is_pending(void)
{
	for (unsigned i = 0; i < PENDING; i++)
		if (pendings[i].unique)
			return true;
	return false;
}

/* The last of them. */
static void find_name(void *ref, const char *name, mode_t type)
{
	struct ipc_ref *r = ref;

	(void)type;
	snprintf(r->base, sizeof(r->base), "%s", name);
}

static void remove_names(const char *kind_name)
{
	const struct ipc_cred cred = {.uid = getuid(), .gid = getgid(), .pid = getpid()};
	struct ipc_listing *names;
	struct ipc_ref ref;

	for (unsigned i = 0; ipc_kind_at(fs.ipc, i); i++) {
		if (strcmp(ipc_kind_name(ipc_kind_at(fs.ipc, i)), kind_name) != 0)
			continue;
		do {
			ref = (struct ipc_ref){.kind = ipc_kind_at(fs.ipc, i)};
			names = ipc_listing_begin(fs.ipc, &cred, ref.kind, NULL, NULL, NULL);
			while (ipc_listing_step(names, find_name, &ref) == 1)
				;
			ipc_listing_end(names);
			if (ref.base[0]) {
				CHECK(ipc_unlink(fs.ipc, &cred, &ref) == 0);
				fs_name_gone(&fs, &ref);
			}
		} while (ref.base[0]);
	}
}

/* As behind a process that is killed: its requests are interrupted, its files closed. */
static void end_all(void)
{
	for (unsigned i = 0; i < PENDING; i++)
		if (pendings[i].unique)
			interrupt(&pendings[i]);
	for (int64_t until = ipc_now() + PATIENCE_MS * INT64_C(1000000); is_pending(); turn(1))
		CHECK(ipc_now() < until);
	for (unsigned i = 0; i < FILES; i++)
		if (files[i].open)
			release(&files[i]);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		remove_names(kinds[i]);
	for (unsigned i = 1; i < NODES; i++)
		if (nodes[i].nodeid)
			forget(&nodes[i]);
	turn(0);
	for (unsigned i = 0; i < FILES; i++)
		CHECK(!files[i].open);
	for (unsigned i = 1; i < NODES; i++)
		CHECK(!nodes[i].nodeid);
	CHECK(ipc_list_empty(&fs.files) && ipc_list_empty(&fs.nodes) && !fs.names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!fs.se)
		session_start();
	at = data;
	end = data + size;
	/* The directories that everything happens in, and no chance needed to find them. */
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		request(FUSE_LOOKUP, &nodes[0], NULL, 0, NULL, 0, kinds[i], strlen(kinds[i]) + 1);
	while (at < end)
		step();
	end_all();
	return 0;
}

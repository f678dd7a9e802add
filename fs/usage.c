/* ipcfs --help, and --options, which shells read to complete a command line. */
#include <string.h>

#include "fs.h"

/* The options that no kind declares. Of kinds= the words are the kinds there are. */
static const struct ipc_option own[] = {
	{.name = "allow_other", .help = "let other users in, each with the rights of their own native calls"},
	{.name = "prefix", .value = "P", .help = "only kernel objects whose names begin with P, which is not shown"},
	{.name = "kinds", .value = "K[,K...]", .help = "only these kinds of channels"},
	{.name = "redis",
	 .value = "ADDR",
	 .help = "channels that many machines share, in the Redis at HOST[:PORT] or at the path of a\n"
		 "Unix socket; sentinels or nodes of a cluster: once for each",
	 .words = "127.0.0.1 /run/redis/redis.sock"},
	{.name = "max_handles",
	 .value = "N",
	 .help = "open channels of one user (default 65536; 0: no limit)",
	 .words = "65536 0"},
	{.name = "max_parked",
	 .value = "N",
	 .help = "operations of one user that wait (default 65536)",
	 .words = "65536 0"},
	{.name = "max_channels",
	 .value = "N",
	 .help = "pipes, sockets and broadcasts of one user (default 65536)",
	 .words = "65536 0"},
	{.name = "max_bytes",
	 .value = "BYTES",
	 .help = "that the daemon holds for one user (default 1G)",
	 .words = "1G 0"},
	{.name = "walkers",
	 .value = "refuse",
	 .help = "what lists channels and opens or removes what it finds is refused (the default);\n"
		 "strict: also for a minute after it has listed; allow: it may",
	 .words = "refuse strict allow"},
	{.name = "spin",
	 .value = "TIME",
	 .help = "keep polling for so long after a request (default " FS_SPIN_DEFAULT "; 0: never)",
	 .words = "0 " FS_SPIN_DEFAULT " 1ms"},
	{.name = "cpu_latency",
	 .value = "TIME",
	 .help = "as root: while many requests come, no processor may take longer to wake; 0: none sleeps\n"
		 "(the default on virtual machines of up to 4 processors); any: they may",
	 .words = "0 10us any"},
};

static void usage_options(void (*show)(const struct ipc_option *, FILE *), FILE *out)
{
	char kinds[IPC_KINDS_TEXT];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct ipc_option option = own[i];

		if (strcmp(option.name, "kinds") == 0)
			option.words = ipc_kinds_text(ipc_kinds, kinds);
		show(&option, out);
	}
	ipc_options_each(ipc_kinds, NULL, show, out);
	ipc_options_each(ipc_redis_kinds, ipc_kinds, show, out);
}

void fs_usage_help(FILE *out)
{
	char kinds[IPC_KINDS_TEXT];

	fprintf(out,
		"usage: ipcfs [options] [MOUNTPOINT]\n"
		"\n"
		"Mounts a directory in which every IPC channel is a file: %s.\n"
		"MOUNTPOINT is $XDG_RUNTIME_DIR/ipc (root's: /run/ipc; else ~/ipcfs) unless given, and printed then.\n"
		"MOUNTPOINT/README shows how to use them, MOUNTPOINT/errors why something was refused.\n"
		"\n"
		"  -f                     stay in the foreground\n"
		"  -d                     the same, and print every request\n"
		"  -h, --help             this text\n"
		"  -V, --version          version numbers\n"
		"  -o OPTION[,OPTION...]  mount options; those of mount.fuse3(8), and:\n",
		ipc_kinds_text(ipc_kinds, kinds));
	usage_options(ipc_option_help, out);
	fputs("\n"
	      "In /etc/fstab:  ipcfs /ipc fuse.ipcfs allow_other 0 0\n"
	      "To end it:      fusermount3 -u MOUNTPOINT, or umount\n",
	      out);
}

void fs_usage_rows(FILE *out)
{
	usage_options(ipc_option_row, out);
}

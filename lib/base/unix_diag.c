#include "unix_diag.h"

#include "sys.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
	DIAG_SOCKETS_MAX = 4096, /* a look takes no longer than about a millisecond */
	DIAG_UID = 7,		 /* UNIX_DIAG_UID and UDIAG_SHOW_UID, which older headers lack */
	DIAG_SHOW_UID = 0x40,
};

/* The kernel's own number of a device, and the part of an inode's number that it tells. */
struct diag_search {
	uint32_t dev, ino;
	unsigned seen;
	bool found;
	struct ipc_unix_diag *out;
};

/* The attributes of one socket; NULL: it has none of that. */
struct diag_attributes {
	const struct unix_diag_vfs *vfs;
	const struct unix_diag_rqlen *queue;
	const uint32_t *uid;
};

static struct diag_attributes diag_attributes(const struct nlmsghdr *head)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(head);
	const struct rtattr *attr = (const void *)(msg + 1);
	int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	struct diag_attributes a = {0};

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(attr) >= sizeof(*a.vfs))
			a.vfs = RTA_DATA(attr);
		else if (attr->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(attr) >= sizeof(*a.queue))
			a.queue = RTA_DATA(attr);
		else if (attr->rta_type == DIAG_UID && RTA_PAYLOAD(attr) >= sizeof(*a.uid))
			a.uid = RTA_DATA(attr);
	}
	return a;
}

/* An accepted connection has its listener's address, too. */
static void diag_take(struct diag_search *search, const struct nlmsghdr *head)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(head);
	struct diag_attributes a = diag_attributes(head);
	struct ipc_unix_diag *out = search->out;

	search->seen++;
	if (!a.vfs || a.vfs->udiag_vfs_ino != search->ino || a.vfs->udiag_vfs_dev != search->dev)
		return;
	if (msg->udiag_state == TCP_ESTABLISHED && msg->udiag_type != SOCK_DGRAM) {
		out->connections++;
		return;
	}
	search->found = true;
	out->type = msg->udiag_type;
	out->listening = msg->udiag_state == TCP_LISTEN;
	out->counted = a.queue;
	out->queue = a.queue ? a.queue->udiag_rqueue : 0;
	out->limit = a.queue ? a.queue->udiag_wqueue : 0;
	out->owned = a.uid;
	out->uid = a.uid ? *a.uid : 0;
}

/* 1: there is more to come; 0: that was all; or -errno. */
static int diag_receive(int fd, struct diag_search *search)
{
	_Alignas(struct nlmsghdr) char buf[32 * 1024];
	ssize_t n = IPC_RETRY(recv(fd, buf, sizeof(buf), 0));
	size_t left = n < 0 ? 0 : (size_t)n;

	if (n < 0)
		return (int)n;
	for (const struct nlmsghdr *head = (const void *)buf; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
		if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			diag_take(search, head);
	}
	return search->seen < DIAG_SOCKETS_MAX ? 1 : -EAGAIN;
}

int ipc_unix_diag(dev_t dev, ino_t ino, struct ipc_unix_diag *out)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = AF_UNIX,
			 .udiag_states = (1 << TCP_LISTEN) | (1 << TCP_CLOSE) | (1 << TCP_ESTABLISHED),
			 .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN | DIAG_SHOW_UID},
	};
	struct diag_search search = {.dev = major(dev) << 20 | minor(dev), .ino = (uint32_t)ino, .out = out};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int r;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return -errno;
	/* A dump is made while it is asked for and read: nothing here waits. */
	r = (int)IPC_RETRY(send(fd, &request, sizeof(request), 0));
	if (r > 0)
		r = 1;
	while (r == 1)
		r = diag_receive(fd, &search);
	close(fd);
	return r < 0 ? r : search.found ? 0 : -ENOENT;
}

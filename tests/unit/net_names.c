/* The name server of net.h: getaddrinfo() for this whole program. */
#include "net.h"

#include <dlfcn.h>
#include <netdb.h>

sem_t slow;
int slow_asked;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *req, struct addrinfo **pai)
{
	static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	int r;

	if (!real)
		real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(
			RTLD_NEXT, "getaddrinfo");
	*pai = NULL;
	if (!name || !strstr(name, ".test"))
		return real(name, service, req, pai);
	if (strcmp(name, "none.test") == 0 || (req->ai_flags & AI_NUMERICHOST))
		return EAI_NONAME;
	if (strcmp(name, "slow.test") == 0) {
		__atomic_add_fetch(&slow_asked, 1, __ATOMIC_SEQ_CST);
		while (sem_wait(&slow) < 0)
			;
		return real("127.0.0.1", service, req, pai);
	}
	r = real("127.0.0.2", service, req, pai);
	return r ? r : real("127.0.0.1", service, req, &(*pai)->ai_next);
}

/* Errors of a server. */
#include <errno.h>
#include <string.h>

#include "node.h"

bool redis_error_is(const redisReply *reply, const char *word)
{
	return strncmp(reply->str, word, strlen(word)) == 0;
}

int redis_error_number(const redisReply *reply)
{
	static const struct {
		const char *word;
		int err;
	} errors[] = {
		{"NOAUTH", EACCES}, {"NOPERM", EACCES},	     {"WRONGPASS", EACCES}, {"READONLY", EROFS},
		{"OOM", ENOSPC},    {"ERR unknown", ENOSYS}, {"WRONGTYPE", EIO},
	};

	if (strstr(reply->str, "maxmemory"))
		return -ENOSPC;
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (redis_error_is(reply, errors[i].word))
			return errors[i].err == ENOSYS ? -EOPNOTSUPP : -errors[i].err;
	return -EIO;
}

bool redis_error_passes(const redisReply *reply)
{
	static const char *const words[] = {"LOADING",	  "MASTERDOWN", "TRYAGAIN",  "CLUSTERDOWN",
					    "NOREPLICAS", "BUSY",	"UNKILLABLE"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (redis_error_is(reply, words[i]))
			return true;
	return false;
}

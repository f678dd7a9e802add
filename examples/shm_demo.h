/* What shm_server and shm_client share: the layout of the memory. */
#ifndef SHM_DEMO_H
#define SHM_DEMO_H

#include <semaphore.h>
#include <stdatomic.h>

enum { SHM_TEXT_MAX = 256 };

struct shm_demo {
	atomic_bool ready; /* set when the semaphores are */
	sem_t turn;	   /* one client at a time */
	sem_t request, answer;
	char text[SHM_TEXT_MAX];
};

#endif

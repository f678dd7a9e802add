/*
 * Criterion brings libgit2 along, for the differences that it shows in assertions of a kind which these tests have none
 * of. Setting it up means to read all certificates of this machine, in each process that runs a test: a quarter of the
 * processor time of `make test`. So these take its place.
 */
int git_libgit2_init(void);
int git_libgit2_shutdown(void);
int git_diff_buffers(void);

int git_libgit2_init(void)
{
	return 1;
}

int git_libgit2_shutdown(void)
{
	return 0;
}

/* Its arguments do not matter: that it fails means that no difference is shown. */
int git_diff_buffers(void)
{
	return -1;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Data on its way between processes: all of it, in order, and nobody sleeps
 * through it.
 */
#include "selftest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define CHUNK	8192

/* Both sides know what comes: pieces are random, and not the same. */
struct stream {
	uint32_t state, total, sum;
};

static uint8_t next(struct stream *s)
{
	s->state = s->state * 1664525 + 1013904223;
	return s->state >> 24;
}

static void send_stream(int fd, uint32_t seed, uint32_t total)
{
	struct stream s = { .state = seed };
	static uint8_t buffer[CHUNK];

	while (s.total < total) {
		uint32_t size = 1 + below(below(3) ? 300 : CHUNK);

		if (size > total - s.total)
			size = total - s.total;
		for (uint32_t i = 0; i < size; i++)
			buffer[i] = next(&s);
		write_all(fd, buffer, size);
		s.total += size;
	}
}

static void receive_stream(int fd, uint32_t seed, uint32_t total)
{
	struct stream s = { .state = seed };
	static uint8_t buffer[CHUNK];

	while (s.total < total) {
		ssize_t got = read(fd, buffer, 1 + below(CHUNK));

		if (got < 0 && errno == EINTR)
			continue;
		if (!expect(got > 0, "read: %zd at %u", got, s.total))
			return;
		for (ssize_t i = 0; i < got; i++) {
			uint8_t wanted = next(&s);

			if (buffer[i] != wanted && s.sum++ < 3)
				expect(false, "byte %u: got %#x, wanted %#x",
				       s.total + (uint32_t)i, buffer[i],
				       wanted);
		}
		s.total += got;
	}
	equal(s.total, total, "bytes");
}

static void through(int in, int out, uint32_t total, const char *what)
{
	uint32_t seed = rnd();
	pid_t pid = fork();

	if (!pid) {
		close(in);
		send_stream(out, seed, total);
		leave();
	}
	close(out);
	receive_stream(in, seed, total);
	close(in);
	join(pid);
	result("%u bytes through %s", total, what);
}

static void pipes(void)
{
	int fd[2];

	works(pipe(fd));
	through(fd[0], fd[1], times(500000), "a pipe");
	works(pipe(fd));
	fcntl(fd[0], F_SETPIPE_SZ, 4096);
	through(fd[0], fd[1], times(300000), "a pipe of one page");
	works(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	through(fd[0], fd[1], times(500000), "a pair of sockets");
	works(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd));
	for (uint32_t i = 0; i < times(500); i++) {
		uint32_t words[64], size = 4 + 4 * below(63);

		for (int n = 0; n < 64; n++)
			words[n] = i + n;
		equal(send(fd[0], words, size, 0), size, "send");
		memset(words, 0, sizeof(words));
		equal(recv(fd[1], words, sizeof(words), 0), size, "recv");
		equal(words[size / 4 - 1], i + size / 4 - 1, "last word");
	}
	result("%u packets of their own sizes", times(500));
}

/* --- pages instead of bytes ------------------------------------------------ */

static void splices(void)
{
	volatile uint32_t *page = map_at(AT, PAGE, RW, PRIVATE, -1);
	struct iovec iov = { (void *)page, PAGE };
	int fd[2], file = temporary_file(PAGE);
	uint32_t words[WORDS];
	loff_t offset = 0;

	works(pipe(fd));
	for (uint32_t i = 0; i < times(200); i++) {
		pid_t pid;

		for (uint32_t n = 0; n < WORDS; n++)
			page[n] = i ^ n;
		/* The pipe has the page itself; a fork makes it read-only. */
		if (vmsplice(fd[1], &iov, 1, 0) < 0) {
			skip("no vmsplice: %s", strerror(errno));
			return;
		}
		pid = fork();
		if (!pid) {
			page[1] = 0xbad;
			_exit(0);
		}
		join(pid);
		read_all(fd[0], words, PAGE);
		for (uint32_t n = 0; n < WORDS; n++)
			equal(words[n], i ^ n, "word %u, round %u", n, i);
	}
	result("vmsplice of a page that is forked");
	for (uint32_t i = 0; i < times(200); i++) {
		words[0] = i;
		equal(pwrite(file, words, PAGE, 0), PAGE, "pwrite");
		offset = 0;
		equal(splice(file, &offset, fd[1], NULL, PAGE, 0), PAGE,
		      "splice");
		words[0] = ~i;
		read_all(fd[0], words, PAGE);
		equal(words[0], i, "first word");
	}
	result("splice from a file");
}

/* --- waiting --------------------------------------------------------------- */

static void answer(void *argument)
{
	int *fd = argument;

	while (hear(fd[0]))
		tell(fd[3]);
}

static void ping_pong(void)
{
	int fd[4];
	pid_t pid;

	works(pipe(fd));
	works(pipe(fd + 2));
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	pid = fork();
	if (!pid) {
		close(fd[1]);
		answer(fd);
		leave();
	}
	for (unsigned int i = 0; i < times(5000); i++) {
		tell(fd[1]);
		if (!expect(hear(fd[2]), "no answer in round %u", i))
			break;
	}
	close(fd[1]);
	join(pid);
	result("two processes wake each other up %u times", times(5000));
}

#define WATCHED	40

static void epolls(void)
{
	int epoll = works(epoll_create1(0)), fd[WATCHED][2];

	for (int i = 0; i < WATCHED; i++) {
		struct epoll_event event = {
			.events = EPOLLIN | (i % 2 ? EPOLLET : 0),
			.data.u32 = i
		};

		works(pipe(fd[i]));
		works(epoll_ctl(epoll, EPOLL_CTL_ADD, fd[i][0], &event));
	}
	for (unsigned int n = 0; n < times(200); n++) {
		struct epoll_event events[WATCHED];
		bool written[WATCHED];
		int wanted = 0, got;

		for (int i = 0; i < WATCHED; i++) {
			written[i] = below(2);
			if (written[i])
				tell(fd[i][1]);
			wanted += written[i];
		}
		got = epoll_wait(epoll, events, WATCHED, 0);
		equal(got, wanted, "events, round %u", n);
		for (int i = 0; i < got; i++) {
			uint32_t which = events[i].data.u32;

			equal(written[which], true, "event for %u", which);
			equal(events[i].events, EPOLLIN, "events");
			hear(fd[which][0]);
		}
		equal(epoll_wait(epoll, events, WATCHED, 0), 0, "events left");
	}
	result("epoll tells of all, and only of those");
}

static void event_child(void *argument)
{
	int fd = (uintptr_t)argument;

	for (uint64_t i = 1; i <= times(1000); i++)
		write_all(fd, &i, 8);
}

static void events(void)
{
	uint64_t n, sum = 0, all = times(1000);
	int fd = works(eventfd(0, 0));
	pid_t pid = spawn(event_child, (void *)fd);

	while (sum < all * (all + 1) / 2) {
		read_all(fd, &n, 8);
		sum += n;
	}
	join(pid);
	expect(sum == all * (all + 1) / 2, "sum %llu", sum);
	result("eventfd counts");
}

/* --- addresses ------------------------------------------------------------- */

static void connected(int server, const void *address, socklen_t size,
		      int family, const char *what)
{
	int client;
	pid_t pids[4];

	works(bind(server, address, size));
	works(listen(server, 4));
	works(getsockname(server, (struct sockaddr *)address, &size));
	for (uint32_t i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		client = works(socket(family, SOCK_STREAM, 0));
		works(connect(client, address, size));
		write_all(client, &i, 4);
		send_stream(client, i, times(100000));
		receive_stream(client, ~i, times(20000));
		leave();
	}
	for (int n = 0; n < 4; n++) {
		uint32_t i = 0;

		client = works(accept(server, NULL, NULL));
		read_all(client, &i, 4);
		receive_stream(client, i, times(100000));
		send_stream(client, ~i, times(20000));
		close(client);
	}
	for (int i = 0; i < 4; i++)
		join(pids[i]);
	close(server);
	result("four connections by %s", what);
}

static void unix_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
		 "selftest-%d", getpid());
	connected(works(socket(AF_UNIX, SOCK_STREAM, 0)), &address,
		  sizeof(address), AF_UNIX, "a name");
}

static bool bring_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool up;

	if (fd < 0)
		return false;
	up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP;
	up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return up;
}

static void tcp(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd;

	if (!bring_up()) {
		skip("no network: %s", strerror(errno));
		return;
	}
	connected(works(socket(AF_INET, SOCK_STREAM, 0)), &address,
		  sizeof(address), AF_INET, "TCP");
	fd = works(socket(AF_INET, SOCK_DGRAM, 0));
	address.sin_port = 0;
	works(bind(fd, (void *)&address, sizeof(address)));
	works(getsockname(fd, (void *)&address,
			  &(socklen_t) { sizeof(address) }));
	for (uint32_t i = 0; i < times(300); i++) {
		uint32_t words[300], size = 4 * (1 + below(299));

		for (int n = 0; n < 300; n++)
			words[n] = i * n;
		equal(sendto(fd, words, size, 0, (void *)&address,
			     sizeof(address)), size, "sendto");
		memset(words, 0xff, sizeof(words));
		equal(recv(fd, words, sizeof(words), 0), size, "recv");
		for (uint32_t n = 0; n < size / 4; n++)
			equal(words[n], i * n, "word %u", n);
	}
	result("%u packets by UDP", times(300));
}

const struct test pipe_tests[] = {
	{ "streams", pipes },
	{ "splice", splices },
	{ "pingpong", ping_pong },
	{ "epoll", epolls },
	{ "eventfd", events },
	{ "unix", unix_sockets },
	{ "tcp", tcp },
	{ NULL, NULL }
};

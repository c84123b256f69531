/* A client of thirty lines: it sends its arguments to 10.0.0.2, and prints what comes back. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(7) };
    char text[100];
    inet_pton(AF_INET, "10.0.0.2", &peer.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0) {
        perror("client");
        return 1;
    }
    for (int i = 1; i < argc; i++)
        if (send(fd, argv[i], strlen(argv[i]), 0) < 0 || send(fd, "\n", 1, 0) < 0) {
            perror("send");
            return 1;
        }
    shutdown(fd, SHUT_WR);
    for (ssize_t n; (n = recv(fd, text, sizeof text, 0)) > 0;)
        fwrite(text, 1, n, stdout);
    close(fd);
    return 0;
}

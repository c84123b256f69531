/* A server of thirty lines: it answers one client in capitals, and ends. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(7) }, peer;
    socklen_t length = sizeof peer;
    char text[100], name[INET_ADDRSTRLEN];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 5) < 0) {
        perror("server");
        return 1;
    }
    int connection = accept(listener, (struct sockaddr *)&peer, &length);
    if (connection < 0) {
        perror("accept");
        return 1;
    }
    printf("server: a client from %s\n", inet_ntop(AF_INET, &peer.sin_addr, name, sizeof name));
    for (ssize_t n; (n = read(connection, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            text[i] = toupper((unsigned char)text[i]);
        write(connection, text, n);
    }
    close(connection);
    return 0;
}

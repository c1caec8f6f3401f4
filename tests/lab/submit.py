"""Handing in messages: by SMTP, several connections at once and many messages on each, or by sendmail(1). A refusal is kept in
the letter, not raised: the oracle judges it."""
import concurrent.futures
import smtplib
import subprocess

AT_ONCE = 4


def submit(letters, address="127.0.0.1", port=25, sendmail=("sendmail",)):
    """Hands in all LETTERS; back when every one was taken or refused. Logins are told with XCLIENT."""
    by_shell = [letter for letter in letters if letter.route.submit == "sendmail"]
    by_smtp = [letter for letter in letters if letter.route.submit != "sendmail"]
    with concurrent.futures.ThreadPoolExecutor(2 * AT_ONCE) as pool:
        jobs = [pool.submit(smtp_session, by_smtp[i::AT_ONCE], address, port) for i in range(AT_ONCE)]
        jobs += [pool.submit(shell, letter, sendmail) for letter in by_shell]
        for job in jobs:
            job.result()


def smtp_session(letters, address, port):
    client = None
    try:
        for letter in letters:
            client = client or greeted(address, port)
            if letter.sender.login:
                as_login(client, letter.sender.login)
            hand_in(client, letter)
            if letter.sender.login or letter.refusal:
                client.close()  # a login ends with its connection
                client = None
    finally:
        if client:
            client.close()


def greeted(address, port):
    client = smtplib.SMTP(address, port, local_hostname="client.test", timeout=120)
    client.ehlo()
    return client


def as_login(client, login):
    code, text = client.docmd("XCLIENT", "LOGIN=" + login)
    if code != 220:
        raise smtplib.SMTPResponseException(code, text)
    client.ehlo()


def hand_in(client, letter):
    ascii_only = (letter.envelope_from + "".join(letter.rcpts)).isascii()
    steps = [lambda: client.mail(letter.envelope_from, [] if ascii_only else ["SMTPUTF8"])]
    steps += [lambda rcpt=rcpt: client.rcpt(rcpt) for rcpt in letter.rcpts]
    steps += [lambda: client.data(letter.text())]
    for step in steps:
        code, text = step()
        if code != 250:
            letter.refusal = (code, text.decode("utf-8", "replace"))
            return


def shell(letter, sendmail):
    words = [word.encode() for word in (*sendmail, "-i", "-f", letter.envelope_from or "<>", *letter.rcpts)]
    done = subprocess.run(words, input=letter.text(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        letter.refusal = (done.returncode, done.stdout.decode("utf-8", "replace"))

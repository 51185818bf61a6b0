// What people do most with Octokit, as its documentation shows it. Prints as JSON what came of each step.
const { Octokit } = require("@octokit/rest");

const [, , baseUrl, token, weak] = process.argv;
const github = (auth) =>
  new Octokit({ auth, baseUrl, log: { debug() {}, info() {}, warn() {}, error() {} }, userAgent: "sandbox-test" });
const octokit = github(token);
const repo = { owner: "octo-org", repo: "hello" };
const issue = { ...repo, issue_number: 5 };
const names = (things) => things.map(({ name }) => name);
const logins = (people) => people.map(({ login }) => login);
const said = {}; // what an earlier step leaves for a later one

// Each step returns what the test compares.
const steps = {
  async "get a repository"() {
    const { data, headers } = await octokit.rest.repos.get(repo);
    said.etag = headers.etag;
    said.left = Number(headers["x-ratelimit-remaining"]);
    return [data.full_name, data.default_branch, headers["x-ratelimit-resource"], said.left < 1000];
  },
  async "ask again for what is known"() {
    const asked = { ...repo, headers: { "if-none-match": said.etag } };
    const { status, response } = await octokit.rest.repos.get(asked).catch((error) => error);
    return [status, Number(response.headers["x-ratelimit-remaining"]) === said.left];
  },
  async "only the head of it"() {
    const { status, data, headers } = await octokit.request("HEAD /repos/{owner}/{repo}", repo);
    return [status, data ?? "", headers["content-type"]];
  },
  async "list issues"() {
    const { data } = await octokit.rest.issues.listForRepo(repo);
    return data.map(({ number, pull_request }) => [number, pull_request !== undefined]);
  },
  async "get an issue"() {
    const { data } = await octokit.rest.issues.get(issue);
    return [data.title, data.user.login, names(data.labels)];
  },
  async "create an issue"() {
    const { status, data } = await octokit.rest.issues.create({ ...repo, title: "New", body: "Why", labels: ["bug"] });
    said.created = data.number;
    return [status, data.state, data.user.login, names(data.labels)];
  },
  async "update an issue"() {
    const wanted = { ...repo, issue_number: said.created, state: "closed", state_reason: "not_planned", milestone: 1 };
    const { data } = await octokit.rest.issues.update(wanted);
    return [data.state, data.state_reason, data.milestone.title];
  },
  async "lock and unlock"() {
    const locked = await octokit.rest.issues.lock({ ...issue, lock_reason: "resolved" });
    const { data } = await octokit.rest.issues.get(issue);
    const unlocked = await octokit.rest.issues.unlock(issue);
    return [locked.status, data.locked, data.active_lock_reason, unlocked.status];
  },
  async "create a comment"() {
    const { status, data } = await octokit.rest.issues.createComment({ ...issue, body: "Hello" });
    said.comment = data.id;
    return [status, data.body, data.user.login];
  },
  async "update a comment"() {
    const { data } = await octokit.rest.issues.updateComment({ ...repo, comment_id: said.comment, body: "Bye" });
    return data.body;
  },
  async "react to a comment"() {
    const made = { ...repo, comment_id: said.comment, content: "rocket" };
    const answers = [1, 2].map(() => octokit.rest.reactions.createForIssueComment(made));
    return (await Promise.all(answers)).map(({ status }) => status).sort();
  },
  async "list comments"() {
    const { data } = await octokit.rest.issues.listComments(issue);
    return data.map(({ body, reactions }) => [body, reactions.rocket]);
  },
  async "delete a comment"() {
    const { status } = await octokit.rest.issues.deleteComment({ ...repo, comment_id: said.comment });
    return [status, (await octokit.rest.issues.listComments(issue)).data];
  },
  async "add labels"() {
    return names((await octokit.rest.issues.addLabels({ ...issue, labels: ["BUG", "new"] })).data);
  },
  async "remove a label"() {
    return names((await octokit.rest.issues.removeLabel({ ...issue, name: "new" })).data);
  },
  async "list labels"() {
    const ofIssue = await octokit.rest.issues.listLabelsOnIssue(issue);
    return [names(ofIssue.data), names((await octokit.rest.issues.listLabelsForRepo(repo)).data)];
  },
  async "create, update and delete a label"() {
    await octokit.rest.issues.createLabel({ ...repo, name: "old", color: "ff0000" });
    const { data } = await octokit.rest.issues.updateLabel({ ...repo, name: "old", new_name: "young", color: "00ff00" });
    const { status } = await octokit.rest.issues.deleteLabel({ ...repo, name: "young" });
    return [data.name, data.color, status];
  },
  async "read a file"() {
    const { data } = await octokit.rest.repos.getContent({ ...repo, path: "list.txt" });
    const raw = await octokit.rest.repos.getContent({ ...repo, path: "list.txt", mediaType: { format: "raw" } });
    return [Buffer.from(data.content, "base64").toString() === raw.data, raw.data.split("\n").length];
  },
  async "list branches"() {
    return names((await octokit.rest.repos.listBranches(repo)).data);
  },
  async "compare two branches"() {
    const { data } = await octokit.rest.repos.compareCommitsWithBasehead({ ...repo, basehead: "main...topic" });
    return [data.status, data.ahead_by, data.files.map(({ filename }) => filename)];
  },
  async "open a pull request"() {
    const { status, data } = await octokit.rest.pulls.create({ ...repo, title: "Four", head: "topic", base: "main" });
    said.pull = { ...repo, pull_number: data.number };
    said.head = data.head.sha;
    return [status, data.draft, data.mergeable];
  },
  async "list pull requests"() {
    const { data } = await octokit.rest.pulls.list({ ...repo, state: "open", sort: "created", direction: "asc" });
    return data.map(({ title, base }) => [title, base.ref]);
  },
  async "get a pull request until it is known whether it merges"() {
    await octokit.rest.pulls.get(said.pull);
    const { data } = await octokit.rest.pulls.get(said.pull);
    return [data.mergeable, data.mergeable_state, data.changed_files];
  },
  async "update a pull request"() {
    const { data } = await octokit.rest.pulls.update({ ...said.pull, title: "Five", base: "other" });
    const back = await octokit.rest.pulls.update({ ...said.pull, base: "main" });
    return [data.title, data.base.ref, back.data.base.ref];
  },
  async "another base that is not there"() {
    return octokit.rest.pulls.update({ ...said.pull, base: "nowhere" });
  },
  async "request reviewers"() {
    const { data } = await octokit.rest.pulls.requestReviewers({ ...said.pull, reviewers: ["reviewer", "helper"] });
    await octokit.rest.pulls.removeRequestedReviewers({ ...said.pull, reviewers: ["helper"] });
    const left = await octokit.rest.pulls.listRequestedReviewers(said.pull);
    return [logins(data.requested_reviewers), logins(left.data.users)];
  },
  async "create a review"() {
    const theirs = { ...repo, pull_number: 7 };
    const { data } = await octokit.rest.pulls.createReview({ ...theirs, event: "APPROVE", body: "Fine" });
    const listed = await octokit.rest.pulls.listReviews(theirs);
    const dismissed = await octokit.rest.pulls.dismissReview({ ...theirs, review_id: data.id, message: "Old" });
    said.review = { ...theirs, review_id: data.id };
    return [data.state, listed.data.map(({ body }) => body), dismissed.data.state];
  },
  async "dismiss a review twice"() {
    return octokit.rest.pulls.dismissReview({ ...said.review, message: "Old" });
  },
  async "approve one's own"() {
    return octokit.rest.pulls.createReview({ ...said.pull, event: "APPROVE" });
  },
  async "comment on a line"() {
    const place = { ...said.pull, commit_id: said.head, path: "list.txt", line: 4 };
    const { data } = await octokit.rest.pulls.createReviewComment({ ...place, body: "Why?" });
    return [data.path, data.line, data.pull_request_review_id > 0];
  },
  async "create statuses"() {
    const one = { ...repo, sha: said.head, context: "ci" };
    await octokit.rest.repos.createCommitStatus({ ...one, state: "pending" });
    const { status } = await octokit.rest.repos.createCommitStatus({ ...one, state: "success", description: "Good" });
    const { data } = await octokit.rest.repos.getCombinedStatusForRef({ ...repo, ref: said.head });
    return [status, data.state, data.total_count];
  },
  async "create check runs"() {
    const one = { ...repo, head_sha: said.head, name: "build" };
    const { data } = await octokit.rest.checks.create({ ...one, status: "in_progress" });
    await octokit.rest.checks.update({ ...repo, check_run_id: data.id, conclusion: "success" });
    const listed = await octokit.rest.checks.listForRef({ ...repo, ref: said.head });
    return [listed.data.total_count, listed.data.check_runs.map(({ name, conclusion }) => [name, conclusion])];
  },
  async "update a branch that has all of its base"() {
    return octokit.rest.pulls.updateBranch(said.pull);
  },
  async "merge with another head"() {
    return octokit.rest.pulls.merge({ ...said.pull, sha: "0".repeat(40) });
  },
  async "merge"() {
    const { data } = await octokit.rest.pulls.merge({ ...said.pull, merge_method: "squash", sha: said.head });
    return [data.merged, (await octokit.rest.pulls.checkIfMerged(said.pull)).status];
  },
  async "update a branch that is behind"() {
    const { data } = await octokit.rest.pulls.create({ ...repo, title: "More", head: "behind", base: "main" });
    const mine = { ...repo, pull_number: data.number };
    const { status } = await octokit.rest.pulls.updateBranch({ ...mine, expected_head_sha: data.head.sha });
    return [status, (await octokit.rest.pulls.get(mine)).data.head.sha !== data.head.sha];
  },
  async "the permission of a collaborator"() {
    const people = ["maintainer", "helper", "newcomer"];
    const levels = people.map((username) => octokit.rest.repos.getCollaboratorPermissionLevel({ ...repo, username }));
    return (await Promise.all(levels)).map(({ data }) => [data.permission, data.role_name]);
  },
  async "all pages"() {
    const all = await octokit.paginate(octokit.rest.issues.listComments, { ...repo, issue_number: 6, per_page: 30 });
    const sizes = [];
    const asked = { ...repo, issue_number: 6, per_page: 50 };
    for await (const { data } of octokit.paginate.iterator(octokit.rest.issues.listComments, asked))
      sizes.push(data.length);
    return [all.length, new Set(all.map(({ id }) => id)).size, sizes];
  },
  async "a query"() {
    const text = `query ($owner: String!, $repo: String!) {
      repository(owner: $owner, name: $repo) { issue(number: 5) { title author { login } } } }`;
    return (await octokit.graphql(text, repo)).repository.issue;
  },
  async "a query of a field that does not exist"() {
    return octokit.graphql('{ repository(owner: "octo-org", name: "hello") { colour } }');
  },
  async "a query of what is not there"() {
    return octokit.graphql('{ repository(owner: "octo-org", name: "nothing") { id } }');
  },
  async "a repository by its old name"() {
    const old = { owner: "octo-org", repo: "old-name" };
    const { data, url } = await octokit.rest.repos.get(old);
    const made = await octokit.rest.issues.createComment({ ...old, issue_number: 5, body: "By the old name" });
    return [data.full_name, url.startsWith(`${baseUrl}/repositories/`), made.status];
  },
  async "what is not there"() {
    return octokit.rest.issues.get({ ...repo, issue_number: 404 });
  },
  async "what does not exist"() {
    return octokit.request("GET /repos/{owner}/{repo}/wishes", repo);
  },
  async "what is not valid"() {
    return octokit.rest.issues.createLabel({ ...repo, name: "Bug", color: "ff0000" });
  },
  async "what the token may not do"() {
    return github(weak).rest.repos.createCommitStatus({ ...repo, sha: said.head, state: "success" });
  },
  async "a token of nobody's"() {
    return github("wrong").rest.repos.get(repo);
  },
};

const failure = ({ status, name, message, errors, response }) => ({
  status: status ?? null,
  name,
  message: message.replace(/ - https?:.*/s, ""),
  errors: errors ?? response?.data?.errors ?? null,
  documented: /^https:\/\/docs\.github\.com\//.test(response?.data?.documentation_url ?? ""),
});

(async () => {
  const found = {};
  for (const [name, step] of Object.entries(steps))
    found[name] = await step().catch((error) => failure(error));
  console.log(JSON.stringify(found));
})();
